/**
 * What the images of the services weigh, against the Node program that each of them carries. Made anew first, where
 * something has changed. Without a Docker engine there is nothing to measure, and that is said.
 */
import { statSync } from 'node:fs';
import { buildImages, docker, whyNoDocker } from '../containers/engine.ts';
import { type Bench, costFigure } from './figure.ts';
import { MIB } from './numbers.ts';

const SERVICES = ['coordinator', 'node-agent'];

export const images: Bench = async () => {
  if (whyNoDocker !== false) {
    process.stderr.write(`images: SKIPPED, ${whyNoDocker}\n`);
    return [];
  }
  process.stderr.write('images: building what has changed\n');
  await buildImages();
  const reference = statSync(process.execPath).size / MIB;
  return Promise.all(
    SERVICES.map(async (service) => {
      const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', `regatta/${service}:dev`));
      const against = `the Node program in it: ${reference.toFixed(0)} MiB`;
      return costFigure({ name: `images: ${service}`, value: bytes / MIB, unit: 'MiB', reference, against });
    }),
  );
};
