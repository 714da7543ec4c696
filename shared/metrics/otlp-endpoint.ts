// The setting `otlpEndpoint`: the base URL of a receiver of OTLP over HTTP. Each signal has its own path below it.

/** Returns the problem of a base URL, or undefined. The text does not quote the URL, because it may hold a password. */
export function otlpEndpointProblem({ username, password, search, hash, pathname }: URL): string | undefined {
  if (username !== '' || password !== '') {
    return 'contains a user name or a password: remove it, and send to a collector that adds the credential'
  }
  if (search !== '' || hash !== '') return 'contains a query or a fragment: remove it'
  if (/\/v1\/(metrics|traces|logs)\/*$/.test(pathname)) {
    return `ends in ${pathname.slice(pathname.lastIndexOf('/v1/'))}: remove this part, which is added for each signal`
  }
  return undefined
}

/** Returns the URL to which metrics are sent. */
export function otlpMetricsUrl(endpoint: string): URL {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`
  return url
}
