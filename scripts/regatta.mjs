#!/usr/bin/env node
// The `regatta` command.
import { fileURLToPath } from 'node:url';
import { launch } from './launch.mjs';

await launch([
  fileURLToPath(new URL('../services/coordinator/src/main.ts', import.meta.url)),
  ...process.argv.slice(2),
]);
