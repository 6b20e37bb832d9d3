// Whether the service of this container is of use, as its own /readyz says: exit code 0, or 1 and why.
// Plain JavaScript with nothing imported but Node: it runs every few seconds on the service's own CPU quota.
import { get } from 'node:http';

const ANSWER_MS_MAX = 2_000;
const { REGATTA_METRICS = '' } = process.env;
const [, host = '', port] = /^(.*):(\d+)$/.exec(REGATTA_METRICS) ?? [];

function fail(why) {
  process.stdout.write(`${why}\n`);
  process.exit(1);
}

if (port === undefined) fail('REGATTA_METRICS is not set: nothing here says whether the service is ready');
// One that listens everywhere listens here.
const reached = /^(0\.0\.0\.0|\[::\])$/.test(host) ? '127.0.0.1' : host.replace(/^\[|\]$/g, '');
const request = get({ host: reached, port, path: '/readyz', timeout: ANSWER_MS_MAX }, (response) => {
  let text = '';
  response.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  response.on('end', () => (response.statusCode === 200 ? process.exit(0) : fail(text.trim())));
});
request.on('timeout', () => fail(`no answer within ${ANSWER_MS_MAX} ms`));
request.on('error', (error) => fail(error.message));
