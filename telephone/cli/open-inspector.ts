// Opens the inspector of `--inspect`. run.ts imports this file only when the setting asks for it, because an import of node:http also loads
// undici (docs/decisions/0019-memory-of-a-telephone.md).

import type { Logger } from '@vera-stack/shared/log.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import { type InspectorServer, startInspectorServer } from '../inspector/inspector-server.ts'
import { TelephoneInspector } from '../inspector/telephone-inspector.ts'
import type { Telephone } from '../telephone.ts'
import { PortError } from './port-error.ts'

/** Resolves with the URL of the page. Rejects with PortError. Call it before `telephone.start`. */
export async function openInspector(
  telephone: Telephone,
  { host = '127.0.0.1', port }: ListenAddress,
  log: Logger,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const inspector = new TelephoneInspector({
    name: telephone.name,
    backendOf: service => telephone.backendOf(service),
    log,
  })
  let server: InspectorServer
  try {
    server = await startInspectorServer({ inspector, listen: { host, port }, log })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PortError(
      `The inspector could not be opened (${reason}): choose another address with --inspect.`,
      {
        cause: error,
      },
    )
  }
  telephone.inspectWith(inspector)
  const { address, port: open } = server.address
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${open}`,
    close: async () => {
      inspector.stop()
      await server.stop()
    },
  }
}
