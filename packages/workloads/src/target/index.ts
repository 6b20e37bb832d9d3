/** The local target server, apart from the package's first door: host processes start without it. */
export { TARGET_PORT } from './port.ts';
export { type Settings as TargetSettings, settingsFrom as targetSettingsFrom } from './settings.ts';
export type { TargetStats } from './stats.ts';
export { startTarget, type Target, type TargetOptions } from './target.ts';
