// The exchange of shared limits with one peer, over one stream of a link. While there is no stream, each of the two replicas counts
// for itself, and the status shows the reason.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { PeerShare } from '../../limits/sharing/peer-share.ts'
import { MESSAGE_BYTES } from '../../limits/sharing/share-message.ts'
import type { SharedBudgets } from '../../limits/sharing/shared-budgets.ts'
import { type ChannelPeer, MessageChannel } from './message-channel.ts'

/** `unsupported`: the version of the peer does not have this exchange. */
export type ShareState = 'open' | 'closed' | 'unsupported'

export interface ShareChannelOptions {
  readonly peer: ChannelPeer
  readonly budgets: SharedBudgets
  readonly log: Logger
}

export class ShareChannel {
  readonly #channel: MessageChannel<PeerShare>

  constructor({ peer, budgets, log }: ShareChannelOptions) {
    this.#channel = new MessageChannel({
      kind: 'share',
      maxMessageBytes: MESSAGE_BYTES,
      peer,
      create: (incarnation, onReady) =>
        budgets.open({
          peerId: peer.peerId,
          incarnation,
          onReady,
          onFault: () =>
            log.warn('a replica sent invalid counts of limits', { detail: 'a message is malformed' }),
        }),
    })
  }

  get state(): ShareState {
    if (this.#channel.unsupported) return 'unsupported'
    return this.#channel.confirmed ? 'open' : 'closed'
  }

  /** Time since the last message of the peer on the present stream, ms; undefined: there was none. */
  get ageMs(): number | undefined {
    return this.#channel.exchange?.ageMs
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
