// The settings that must be equal on all replicas, because each of them decides about requests, credentials or rows of the whole
// cluster. Replicas exchange digests, so the values stay on their machines.

import { createHash } from 'node:crypto'
import { nameOf } from '@vera-stack/shared/settings/row.ts'
import { type PlugboardConfig, plugboardSettings } from '../../config.ts'

export const COMPARED_SETTINGS = [
  'environmentName',
  'trustedProxies',
  'outboundNetworks',
  'underscoreHeaders',
  'allowTrace',
  'httpsRedirect',
  'hstsMaxAgeMs',
  'hstsSubdomains',
  'tlsMinVersion',
  'acmeDirectory',
  'acmeHosts',
  'acmeOnDemand',
  'changesKept',
  'maxHeadBytes',
  'maxHeaders',
  'maxTargetBytes',
  'tokenIssuer',
  'tokenJwksUrl',
  'tokenMaxTunnels',
  'tokenMaxClaims',
  'tokenMaxAnnouncements',
  'ephemeralGraceMs',
  'generatedHosts',
  'rebalance',
] as const satisfies readonly (keyof PlugboardConfig)[]

const DIGEST_CHARACTERS = 16

/** Returns a digest of each compared setting, by the name of the setting. */
export function settingDigests(config: PlugboardConfig): Record<string, string> {
  return Object.fromEntries(
    COMPARED_SETTINGS.map(name => [
      nameOf(name, plugboardSettings[name]),
      createHash('sha256')
        .update(JSON.stringify(config[name] ?? null))
        .digest('hex')
        .slice(0, DIGEST_CHARACTERS),
    ]),
  )
}
