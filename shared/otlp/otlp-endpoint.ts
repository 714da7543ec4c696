// The settings `otlpEndpoint` and `otlpTracesEndpoint`: base URLs of receivers of OTLP over HTTP. Each signal has its own path
// below the base URL.

/** The last part of the path to which a signal is sent. */
export type OtlpSignal = 'metrics' | 'traces'

/** Returns the problem of a base URL, or undefined. The text does not quote the URL, because it may hold a password. */
export function otlpEndpointProblem({ username, password, search, hash, pathname }: URL): string | undefined {
  if (username !== '' || password !== '') {
    return 'contains a user name or a password: remove it, and set otlpHeaders'
  }
  if (search !== '' || hash !== '') return 'contains a query or a fragment: remove it'
  if (/\/v1\/(metrics|traces|logs)\/*$/.test(pathname)) {
    return `ends in ${pathname.slice(pathname.lastIndexOf('/v1/'))}: remove this part, which is added for each signal`
  }
  return undefined
}

/** Returns the URL to which a signal is sent. */
export function otlpUrl(endpoint: string, signal: OtlpSignal): URL {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`
  return url
}
