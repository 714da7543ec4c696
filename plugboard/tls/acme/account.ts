// The account with the certificate authority, which all replicas share through the database. The first replica registers it. An
// account whose key cannot be decrypted, because the secret has changed, is replaced.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { Client } from 'acme-client'
import type { CertificateStore } from '../../database/store/store.ts'
import type { KeySeal } from '../key-seal.ts'
import type { AcmeLibrary } from './library.ts'

export interface AcmeAccountOptions {
  readonly library: AcmeLibrary
  readonly store: Pick<CertificateStore, 'account' | 'saveAccount'>
  readonly seal: KeySeal
  readonly directoryUrl: string
  readonly email: string | undefined
  /** True when the operator has agreed to the terms of the authority. */
  readonly agreed: boolean
  /** External account binding, which some authorities require of their customers. */
  readonly binding: { readonly keyId: string; readonly key: string } | undefined
  readonly log: Logger
}

/** Returns an ACME client for the account. Registers the account when it does not exist. */
export async function openAccount(options: AcmeAccountOptions): Promise<Client> {
  const { library, store, seal, directoryUrl, log } = options
  const known = await store.account(directoryUrl)
  const key = known === undefined ? undefined : seal.open(known.sealedKey, directoryUrl)
  if (known !== undefined && key !== undefined) {
    return new library.Client({ directoryUrl, accountKey: key, accountUrl: known.url })
  }
  if (known !== undefined)
    log.warn('the ACME account could not be read; a new one is created', { url: known.url })
  const accountKey = (await library.crypto.createPrivateEcdsaKey()).toString()
  const client = new library.Client({ directoryUrl, accountKey, ...bindingOf(options) })
  await client.createAccount({
    termsOfServiceAgreed: options.agreed,
    ...(options.email === undefined ? {} : { contact: [`mailto:${options.email}`] }),
  })
  const mine = { url: client.getAccountUrl(), sealedKey: seal.seal(accountKey, directoryUrl) }
  const holds = await store.saveAccount(directoryUrl, mine, known?.sealedKey)
  if (holds.url === mine.url) {
    log.info('ACME account registered', { url: mine.url })
    return client
  }
  // Another replica was faster. The account of this replica is not used.
  const other = seal.open(holds.sealedKey, directoryUrl)
  if (other === undefined) {
    throw new Error(
      'another replica has registered the ACME account with another clusterSecret: set the same one on all replicas',
    )
  }
  return new library.Client({ directoryUrl, accountKey: other, accountUrl: holds.url })
}

function bindingOf({ binding }: AcmeAccountOptions) {
  return binding === undefined ? {} : { externalAccountBinding: { kid: binding.keyId, hmacKey: binding.key } }
}
