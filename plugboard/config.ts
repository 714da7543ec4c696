// Loads the settings of a Plugboard process. config/plugboard-settings.ts has the table of all settings. replica/plugboard.ts passes the
// values to the parts.

import { type LoadedSettings, type LoadOptions, loadSettings } from '@vera-stack/shared/settings.ts'
import { configProblems } from './config/config-problems.ts'
import { plugboardSettings } from './config/plugboard-settings.ts'

export { type PlugboardConfig, plugboardSettings } from './config/plugboard-settings.ts'

export const VARIABLE_PREFIX = 'PLUGBOARD_'

/** `outboundNetworks` of `plugboard dev`: the addresses of a developer's own machine and network. */
export const PRIVATE_NETWORKS: readonly string[] = [
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
]

export type LoadedPlugboardConfig = LoadedSettings<typeof plugboardSettings>

/** Variables of the command line client, which a server started from the same shell does not mind. */
const CLIENT_VARIABLES = ['URL', 'API_KEY', 'API_KEY_FILE', 'OUTPUT'].map(name => VARIABLE_PREFIX + name)

/** @throws SettingsError with all problems. */
export function loadPlugboardConfig(
  options: Pick<LoadOptions<typeof plugboardSettings>, 'flags' | 'env' | 'cwd'> = {},
): LoadedPlugboardConfig {
  return loadSettings(plugboardSettings, {
    ...options,
    prefix: VARIABLE_PREFIX,
    otherVariables: CLIENT_VARIABLES,
    check: configProblems,
  })
}
