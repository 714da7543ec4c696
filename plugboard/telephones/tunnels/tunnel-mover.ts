// Asks telephones to move tunnels to other replicas: some of them to balance the load, or all of them before this replica
// stops. It sends telephones the addresses that they can dial. A telephone moves by itself: it dials the other replica,
// announces its services there, and then drains its tunnel here.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { ReplicaId } from '../../common/ids/replica-id.ts'
import { sameProcess } from '../../registry/line.ts'
import type { Registry } from '../../registry/registry.ts'
import type { LocalTunnels } from './local-tunnels.ts'
import type { TelephoneTunnel } from './telephone-tunnel.ts'

export interface ReplicaAddress {
  readonly id: ReplicaId
  readonly url: string
}

export interface TunnelMoverOptions {
  readonly tunnels: LocalTunnels
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Logger
}

/** Shortest time before a telephone is asked again to move the same tunnel, ms. */
const MOVE_AGAIN_MS = 60_000
const LEAVING = { type: 'move', why: 'leaving' } as const

export class TunnelMover {
  readonly #options: TunnelMoverOptions
  #replicas: readonly ReplicaAddress[] = []
  #leaving = false
  /** Set while `leave` waits. Called when a tunnel closes or its telephone drains it. */
  #checkLeft: (() => void) | undefined

  constructor(options: TunnelMoverOptions) {
    this.#options = options
  }

  /** True when this replica is about to stop. It then asks telephones that still connect to move. */
  get leaving(): boolean {
    return this.#leaving
  }

  startLeaving(): void {
    this.#leaving = true
  }

  /** Sets the addresses that telephones can dial. Sends them to all telephones now, and to each new one. */
  setReplicas(replicas: readonly ReplicaAddress[]): void {
    this.#replicas = replicas
    for (const tunnel of this.#options.tunnels) {
      if (tunnel.hello !== undefined) this.#sendReplicas(tunnel)
    }
  }

  /**
   * Asks telephones to move up to `count` tunnels to replica `to`, starting with the tunnels with the fewest streams. Skips
   * processes that have a line on that replica already, and tunnels that were asked recently. Returns the number asked.
   */
  move(count: number, to: ReplicaId): number {
    const { clock, tunnels } = this.#options
    const nowMs = clock.now()
    const movable = [...tunnels]
      .filter(
        ({ hello, draining, moveAskedMs }) => hello && !draining && nowMs - moveAskedMs >= MOVE_AGAIN_MS,
      )
      .filter(tunnel => !this.#hasLineOn(tunnel, to))
      .sort((left, right) => left.session.streamCount - right.session.streamCount)
      .slice(0, count)
    for (const tunnel of movable) {
      tunnel.moveAskedMs = nowMs
      tunnel.session.sendControl({ type: 'move', why: 'balance', to })
    }
    return movable.length
  }

  /**
   * Asks all telephones to move their tunnels to other replicas. Tunnels serve until their telephones drain them. Resolves
   * when all tunnels drain or are closed, or after `patienceMs`.
   */
  async leave(patienceMs: number): Promise<void> {
    const { clock, tunnels } = this.#options
    this.startLeaving()
    for (const { session } of tunnels) session.sendControl(LEAVING)
    if (patienceMs === 0) return
    const left = Promise.withResolvers<void>()
    const timer = clock.after(patienceMs, () => left.resolve())
    this.#checkLeft = () => {
      if ([...tunnels].every(({ draining }) => draining)) left.resolve()
    }
    this.#checkLeft()
    await left.promise
    this.#checkLeft = undefined
    timer.cancel()
  }

  /** Sends the addresses to a telephone whose hello has arrived, and asks it to move when this replica leaves. */
  tunnelReady(tunnel: TelephoneTunnel): void {
    if (this.#replicas.length > 0) this.#sendReplicas(tunnel)
    if (this.#leaving) tunnel.session.sendControl(LEAVING)
  }

  /** Call this when a tunnel has closed, or when its telephone drains it. */
  tunnelLeft(): void {
    this.#checkLeft?.()
  }

  #sendReplicas(tunnel: TelephoneTunnel): void {
    if (tunnel.session.sendControl({ type: 'replicas', replicas: [...this.#replicas] })) return
    // The telephone keeps the addresses that it has.
    this.#options.log.warn('the replica addresses exceed the frame size of a telephone', {
      tunnelId: tunnel.tunnelId,
    })
  }

  /** Returns true when the process of the tunnel has a line of the same service on that replica. */
  #hasLineOn({ tunnelId }: TelephoneTunnel, replicaId: ReplicaId): boolean {
    const { registry } = this.#options
    for (const own of registry.linesOfTunnel(tunnelId)) {
      for (const line of registry.linesOf(own.service)) {
        if (line.replicaId === replicaId && sameProcess(line, own)) return true
      }
    }
    return false
  }
}
