// The exchange of live data with one peer, over one stream of a link. It is open only once a viewer of one of the two replicas has
// needed it.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { Stream, StreamEvents } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { ObserveExchange } from '../../observe/stream/observe-exchange.ts'
import type { ObserveHub } from '../../observe/stream/observe-hub.ts'
import { OBSERVE_MESSAGE_BYTES } from '../../observe/stream/observe-message.ts'
import { type ChannelPeer, MessageChannel } from './message-channel.ts'

/** `unsupported`: the version of the peer does not have this exchange. */
export type ObserveState = 'open' | 'closed' | 'unsupported'

export interface ObserveChannelOptions {
  readonly peer: ChannelPeer
  readonly hub: ObserveHub
  readonly log: Logger
}

export class ObserveChannel {
  readonly #hub: ObserveHub
  readonly #channel: MessageChannel<ObserveExchange>

  constructor({ peer, hub, log }: ObserveChannelOptions) {
    this.#hub = hub
    this.#channel = new MessageChannel({
      kind: 'observe',
      maxMessageBytes: OBSERVE_MESSAGE_BYTES,
      peer: { ...peer, wanted: () => hub.wanted && peer.wanted() },
      create: (incarnation, onReady) =>
        hub.exchange({
          peerId: peer.peerId,
          incarnation,
          onReady,
          onFault: () => log.warn('a replica sent invalid live data', { detail: 'a message is malformed' }),
        }),
    })
  }

  get state(): ObserveState {
    if (this.#channel.unsupported) return 'unsupported'
    return this.#channel.confirmed ? 'open' : 'closed'
  }

  /** Opens the stream, if a viewer of this replica needs it. */
  open(): void {
    if (this.#hub.wanted) this.#channel.open()
  }

  accept(stream: Stream): StreamEvents {
    return this.#channel.accept(stream)
  }

  /** Sends the items that wait, because this replica stops. */
  finish(): void {
    this.#channel.finish()
  }

  stop(): void {
    this.#channel.stop()
  }
}
