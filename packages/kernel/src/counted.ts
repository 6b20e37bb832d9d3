/** How many of what, as people read it: "1 node", "2 nodes", "10,000 nodes". @param many where it is not noun + s */
export const counted = (count: number, noun: string, many = `${noun}s`): string =>
  `${Math.round(count).toLocaleString('en-US')} ${count === 1 ? noun : many}`;
