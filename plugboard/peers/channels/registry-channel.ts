// The registry exchange with one peer: the lines of both replicas, over one stream of a link.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { RegistryFollower } from '../../registry/sync/registry-follower.ts'
import type { RegistryOwner } from '../../registry/sync/registry-owner.ts'
import { RegistrySync } from '../../registry/sync/registry-sync.ts'
import { MESSAGE_BYTES } from '../../registry/wire/message.ts'
import { type ChannelPeer, MessageChannel } from './message-channel.ts'

export interface RegistryChannelOptions {
  readonly peer: ChannelPeer
  readonly owner: RegistryOwner
  readonly follower: RegistryFollower
  readonly log: Logger
  /** Called when this replica has all lines of the peer. */
  readonly onAgree: () => void
}

export class RegistryChannel {
  readonly #channel: MessageChannel<RegistrySync>

  constructor({ peer, owner, follower, log, onAgree }: RegistryChannelOptions) {
    this.#channel = new MessageChannel({
      kind: 'registry',
      maxMessageBytes: MESSAGE_BYTES,
      peer,
      create: (peerIncarnation, onReady) =>
        new RegistrySync({
          owner,
          follower,
          peerId: peer.peerId,
          peerIncarnation,
          clock: peer.clock,
          onReady,
          onAgree,
          onFault: ({ garbage }) =>
            log.warn('a replica sent invalid registry data', {
              detail: garbage > 0 ? 'a message is malformed' : 'a digest does not match',
            }),
        }),
    })
  }

  /** True when this replica has all lines of the peer. */
  get agrees(): boolean {
    return this.#channel.exchange?.agrees === true
  }

  /** True when each end has all lines of the other one, according to the exchange. */
  get inSync(): boolean {
    const { exchange } = this.#channel
    return exchange?.agrees === true && exchange.peerAgrees
  }

  /** Number of messages of the open exchange that were malformed or inconsistent. A number above 0 is a bug on one end. */
  get faultyMessages(): number {
    const { garbage = 0, mismatches = 0 } = this.#channel.exchange?.faults ?? {}
    return garbage + mismatches
  }

  open(): void {
    this.#channel.open()
  }

  accept(stream: Stream): StreamEvents {
    return this.#channel.accept(stream)
  }

  stop(): void {
    this.#channel.stop()
  }
}
