import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Cluster } from './cluster.ts';

const require = createRequire(import.meta.url);
const REFLECTION_PROTO = join(
  dirname(require.resolve('@grpc/reflection/package.json')),
  'build/proto/grpc/reflection/v1/reflection.proto',
);
const HEALTH_PROTO = join(dirname(require.resolve('grpc-health-check/package.json')), 'proto/health/v1/health.proto');
const ANSWER_MS_MAX = 5_000;

describe('a coordinator, to tools that know nothing of Regatta', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agents: 0 });
  });
  after(() => cluster.stop());

  for (const service of ['', 'regatta.v1.ControlService']) {
    it(`answers a health check of ${JSON.stringify(service)} with SERVING`, async () => {
      const client = clientOf(HEALTH_PROTO, 'grpc.health.v1.Health');
      try {
        const answer = await new Promise<{ status: string }>((resolve, reject) => {
          const check = client.check as (
            request: object,
            options: object,
            callback: (error: Error | null, reply: { status: string }) => void,
          ) => void;
          check.call(client, { service }, { deadline: Date.now() + ANSWER_MS_MAX }, (error, reply) =>
            error ? reject(error) : resolve(reply),
          );
        });
        assert.equal(answer.status, 'SERVING');
      } finally {
        client.close();
      }
    });
  }

  it('lists its services by reflection, as grpcurl asks', async () => {
    const client = clientOf(REFLECTION_PROTO, 'grpc.reflection.v1.ServerReflection');
    try {
      const stream = (client.serverReflectionInfo as (options: object) => ClientDuplexStream<object, object>).call(
        client,
        {
          deadline: Date.now() + ANSWER_MS_MAX,
        },
      );
      const answer = await new Promise<{ listServicesResponse: { service: { name: string }[] } }>((resolve, reject) => {
        stream.once('data', resolve).on('error', reject);
        stream.write({ host: '', listServices: '' });
      });
      stream.end();
      const names = answer.listServicesResponse.service.map(({ name }) => name);
      for (const name of ['regatta.v1.ControlService', 'regatta.v1.NodeLinkService']) {
        assert.ok(names.includes(name), names.join());
      }
    } finally {
      client.close();
    }
  });

  function clientOf(proto: string, service: string): Client & Record<string, unknown> {
    const definition = loadPackageDefinition(loadSync(proto, { enums: String, defaults: true }));
    let found: unknown = definition;
    for (const part of service.split('.')) found = (found as Record<string, unknown>)[part];
    const Stub = found as ServiceClientConstructor;
    return new Stub(cluster.address, credentials.createInsecure()) as unknown as Client & Record<string, unknown>;
  }
});
