/** A process that takes chunks of run `r` and never ends one. Tells its parent how many it has. */
import { Broker } from '@regatta/broker';
import { TestNode } from './node.ts';

const broker = new Broker({ servers: [process.argv[2]!], name: 'doomed' });
const node = new TestNode(broker, 'doomed', () => process.send!(node.given.length));
node.puller.pull('r', 1);
process.once('disconnect', () => process.exit(0));
