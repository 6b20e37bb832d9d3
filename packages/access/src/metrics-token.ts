/** The metrics token of a cluster whose hosts have been given the join token alone. */
import { createHmac } from 'node:crypto';

/** Fixed for good: deploy/make-secrets and whoever sets up a Prometheus of their own compute the same. */
const WORD = 'regatta metrics';

/**
 * One-way, so that Prometheus and all whom it shows this to learn nothing by which to join: HMAC-SHA256 under a fixed key,
 * which is HKDF's first step (RFC 5869, 2.2). The join token is its message, not its key: tools take that on stdin, where
 * no list of processes shows it. By a join token that can be guessed this one tells which guess is right.
 */
export const metricsTokenOf = (joinToken: string): string => createHmac('sha256', WORD).update(joinToken).digest('hex');
