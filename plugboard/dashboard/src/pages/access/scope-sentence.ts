// What a token permits, as sentences for the person who issues it.

export interface ScopeSentence {
  readonly text: string
  /** True when the token can receive the traffic of other people. */
  readonly isBroad: boolean
}

export function scopeSentence(services: readonly string[], mounts: readonly string[]): ScopeSentence {
  if (services.length === 0 && mounts.length === 0)
    return { text: 'The telephone can connect, but it can serve no service.', isBroad: false }
  const serves = services.includes('*')
    ? 'It may serve every service, so it can receive all traffic.'
    : services.length === 0
      ? 'It may serve no service except those of its mounts.'
      : `It may serve ${listed(services.map(serviceText))}.`
  const claims = mounts.includes('*')
    ? 'It may claim every free host and path.'
    : mounts.length === 0
      ? 'It may claim no mount: an administrator creates the routes.'
      : `It may claim ${listed(mounts.map(mountText))}, with all paths below.`
  return { text: `${serves} ${claims}`, isBroad: services.includes('*') || mounts.includes('*') }
}

const serviceText = (name: string): string =>
  name.endsWith('*') ? `each service whose name begins with "${name.slice(0, -1)}"` : `the service "${name}"`

const mountText = (mount: string): string =>
  mount.startsWith('*.') ? `each host below ${mount.slice(2)}` : mount

function listed(texts: readonly string[]): string {
  const last = texts.at(-1) ?? ''
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} and ${last}`
}
