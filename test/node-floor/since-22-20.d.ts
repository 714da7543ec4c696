// Parts of Node after 22.20, the newest 22 with published types, that the product uses. Each line names the first version.

import type { IncomingMessage } from 'node:http'

declare module 'node:http' {
  interface ServerOptions {
    /** 22.21. Without it a request that may not upgrade could not be served as if it had not asked. */
    shouldUpgradeCallback?: ((request: IncomingMessage) => boolean) | undefined
    /** 24; older ones ignore it, which costs them some time per request. */
    optimizeEmptyRequests?: boolean | undefined
  }
  interface AgentOptions {
    /** 22.21. */
    proxyEnv?: NodeJS.ProcessEnv | undefined
  }
}
