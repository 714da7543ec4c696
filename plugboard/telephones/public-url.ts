// The address under which a mount is reached from outside, as telephones are told.

import { formatMount } from '@vera-stack/shared/mounts.ts'

/**
 * `publicUrl`: how the public address looks from outside, `https://example.com:8443`; only its scheme and port
 * count for mounts that name a host. A wildcard stays as it is written, `*` alone becomes the public host.
 */
export function publicUrls(publicUrl: string): (mount: { host: string; mountPath: string }) => string {
  const base = new URL(publicUrl)
  const port = base.port === '' ? '' : `:${base.port}`
  return ({ host, mountPath }) => {
    const shown = host === '*' ? base.hostname : host
    const path = formatMount({ host: '', path: mountPath })
    return `${base.protocol}//${shown}${port}${path === '' ? '/' : path}`
  }
}
