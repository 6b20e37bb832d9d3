/** The port of `regatta target` where none is given, and of the URLs that `web-scraper` makes. */
export const TARGET_PORT = 7480;
