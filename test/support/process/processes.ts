// Starts and stops all child processes of one test. The stop fails when a process has crashed, does not stop on SIGTERM,
// exits with another code than 0, or leaves a child process behind.

import { execPath } from 'node:process'
import { Child, type ChildOptions, describeExit } from './child.ts'

export class Processes {
  readonly #children: Child[] = []

  /** All processes that `stopAll` has not stopped yet. Some may have ended. */
  get all(): readonly Child[] {
    return this.#children
  }

  start(options: ChildOptions): Child {
    const child = new Child(options)
    this.#children.push(child)
    return child
  }

  /** Starts a process with the pinned Node of this repository. */
  node(name: string, args: readonly string[], options: Partial<ChildOptions> = {}): Child {
    return this.start({ name, command: execPath, args, ...options })
  }

  /** Stops all processes, the newest first. Throws one Error that lists all problems. */
  async stopAll(): Promise<void> {
    const problems: string[] = []
    for (const child of this.#children.splice(0).reverse()) {
      try {
        const crashed = !child.running && !child.expectedToExit
        const asked = child.running
        const exit = await child.stop()
        if (crashed) problems.push(`${child.name} ended by itself: ${describeExit(exit)}\n${child.output}`)
        else if (asked && !child.expectedExitCodes.includes(exit.code ?? -1)) {
          problems.push(`${child.name} was stopped and ended with ${describeExit(exit)}\n${child.output}`)
        }
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error))
      }
      const left = child.killGroup()
      if (left.length > 0) problems.push(`${child.name} left processes behind: ${left.join(', ')}`)
    }
    if (problems.length > 0) throw new Error(problems.join('\n\n'))
  }
}
