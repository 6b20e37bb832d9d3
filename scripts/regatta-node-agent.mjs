#!/usr/bin/env node
// The `regatta-node-agent` command: a node that works for a coordinator.
import { fileURLToPath } from 'node:url';
import { launch } from './launch.mjs';

await launch([fileURLToPath(new URL('../services/node-agent/src/main.ts', import.meta.url)), ...process.argv.slice(2)]);
