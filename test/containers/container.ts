/** One container as tests start it: hardened as compose.yaml does, and with one network from the start. */
import { GenericContainer, PullPolicy, type StartedTestContainer, type WaitStrategy } from 'testcontainers';
import { labels } from './engine.ts';

export interface Form {
  readonly image: string;
  readonly network: string;
  /** What others on the network call it. */
  readonly alias: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** Host folders and files, by where they are seen, read-only. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Volumes, by where they are seen. */
  readonly volumes?: Readonly<Record<string, string>>;
  /** Folders in memory that its user may write; they go when the container stops. */
  readonly scratch?: readonly string[];
  /** Cores. */
  readonly cpu?: number;
  readonly user?: string;
  /** Of the host, by those of the container. */
  readonly ports?: Readonly<Record<number, number>>;
  readonly until: WaitStrategy;
}

const MEMORY_GIB = 1;

export async function startContainer(form: Form): Promise<StartedTestContainer> {
  return new Hardened(form).start();
}

class Hardened extends GenericContainer {
  constructor({ image, network, alias, cpu, user = '10001:10001', ...form }: Form) {
    super(image);
    // Its own way to give an alias leaves the container on the default bridge as well, where no partition reaches it.
    this.createOpts.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: [alias] } } };
    this.networkMode = network;
    this.hostConfig.ReadonlyRootfs = true;
    this.hostConfig.Init = true;
    const scratch = form.scratch ?? ['/var/lib/regatta', '/tmp'];
    this.withTmpFs(Object.fromEntries(scratch.map((folder) => [folder, 'rw,size=256m,mode=1777'])));
    this.withUser(user)
      .withLabels({ ...labels })
      .withAutoCleanup(false)
      .withPullPolicy(PullPolicy.neverPull());
    this.withDroppedCapabilities('ALL').withSecurityOpt('no-new-privileges:true');
    this.withEnvironment({ ...form.environment }).withWaitStrategy(form.until);
    const bound = (from: Readonly<Record<string, string>>, mode: 'ro' | 'rw') =>
      Object.entries(from).map(([target, source]) => ({ source, target, mode }));
    this.withBindMounts([...bound(form.mounts ?? {}, 'ro'), ...bound(form.volumes ?? {}, 'rw')]);
    this.withResourcesQuota({ memory: MEMORY_GIB, ...(cpu !== undefined && { cpu }) });
    if (form.entrypoint !== undefined) this.withEntrypoint([...form.entrypoint]);
    if (form.command !== undefined) this.withCommand([...form.command]);
    const ports = Object.entries(form.ports ?? {});
    this.withExposedPorts(...ports.map(([container, host]) => ({ container: Number(container), host })));
    // Of itself it publishes to all the world. Fixed, as a free port would be another one after a restart.
    this.hostConfig.PortBindings = Object.fromEntries(
      ports.map(([container, host]) => [`${container}/tcp`, [{ HostIp: '127.0.0.1', HostPort: String(host) }]]),
    );
  }
}
