/** Which addresses only this machine can reach. By their text alone: what a name resolves to may change. */
import { BlockList, isIP, isIPv6 } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Whether others may reach it. In doubt they may: of names only localhost stays here, and an IPv6 address without
 * brackets could be read in two ways.
 * @param address HOST:PORT or [IPV6]:PORT
 */
export function isBeyondLoopback(address: string): boolean {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(':')));
  if (host.toLowerCase() === 'localhost') return false;
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  const family = isIP(bare);
  if (family === 0 || isIPv6(host)) return true;
  // It knows IPv4 addresses in IPv6's clothes, too.
  return !loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}
