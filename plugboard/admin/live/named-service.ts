// Finds the service that a request names. Paths and filters accept the name or the id.

import { VeraError } from '@vera-stack/shared/errors.ts'
import { asServiceId } from '../../common/ids/row-ids.ts'
import type { Directory, DirectoryService } from '../../routes/directory.ts'

type Services = Pick<Directory, 'service' | 'serviceByName'>

/** `text`: the name or the id. */
export function findService(directory: Services, text: string): DirectoryService | undefined {
  return directory.serviceByName(text) ?? directory.service(asServiceId(text))
}

/** `text`: the name or the id. Throws `not_found`. */
export function namedService(directory: Services, text: string): DirectoryService {
  const service = findService(directory, text)
  if (service === undefined) throw new VeraError('not_found', `There is no service "${text}".`)
  return service
}
