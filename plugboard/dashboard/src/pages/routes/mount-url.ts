// The URL of a mount on the public port.

/** `publicUrl`: the URL of this Plugboard, for its scheme and port. Undefined: the mount has a wildcard, and so no single URL. */
export function urlOfMount(
  { host, mountPath }: { readonly host: string; readonly mountPath: string },
  publicUrl: string,
): string | undefined {
  const url = URL.parse(publicUrl)
  if (url === null || (host !== '*' && host.includes('*'))) return undefined
  const port = url.port === '' ? '' : `:${url.port}`
  return `${url.protocol}//${host === '*' ? url.hostname : host}${port}${mountPath}`
}

/**
 * Returns a command that sends a request to the mount through this Plugboard, also before the name of the host leads there. Undefined: the
 * mount is not complete.
 */
export function testCommand(mount: string, publicUrl: string): string | undefined {
  const slash = mount.indexOf('/')
  const host = (slash === -1 ? mount : mount.slice(0, slash)).replace(/^\*\./, 'test.')
  const url = URL.parse(publicUrl)
  if (url === null || !/^(?:\*|[\w.-]*\w)$/.test(host)) return undefined
  const path = slash === -1 ? '/' : mount.slice(slash)
  if (!/^[\w./~%-]*$/.test(path)) return undefined
  if (host === '*') return `curl -i ${url.origin}${path}`
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const shownPort = url.port === '' ? '' : `:${url.port}`
  return `curl -i --connect-to ${host}:${port}:${url.hostname}:${port} ${url.protocol}//${host}${shownPort}${path}`
}
