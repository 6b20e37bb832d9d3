/** A candidate in a process of its own, to be killed and paused: `candidate.ts URL BUCKET ID`. Prints its news, a line each. */
import { Broker } from '@regatta/broker';
import { Leadership } from '../leadership.ts';

const [url = '', bucket = '', id = ''] = process.argv.slice(2);
const broker = new Broker({ servers: [url], name: id });
const leadership = new Leadership(broker, {
  id,
  addresses: [`${id}:7420`],
  bucket,
  onElected: () => console.log('elected'),
  onDeposed: (why) => console.log(`deposed: ${why}`),
  onLeader: (leader) => console.log(`leader: ${leader?.id ?? 'nobody'}`),
  onUncertain: (why) => console.log(why === undefined ? 'certain' : `uncertain: ${why}`),
});
process.once('SIGTERM', async () => {
  await leadership.close();
  await broker.close();
  console.log('closed');
});
await leadership.campaign();
console.log('campaigning');
