// Polls the registries of the replicas until they no longer list the lines of a replica or a Telephone.

import { eventually } from '../../support/deadline.ts'
import type { Replica } from '../cluster/replica.ts'
import type { Scene } from '../scene.ts'

/** Resolves when all other replicas have dropped the lines of this one. */
export async function untilLinesGone({ cluster }: Scene, replica: Replica): Promise<void> {
  const gone = async (witness: Replica): Promise<true | undefined> => {
    const { lines } = await witness.view()
    return lines.every(({ replicas }) => (replicas[replica.name] ?? 0) === 0) ? true : undefined
  }
  await Promise.all(
    cluster
      .others(replica)
      .map(witness => eventually(`${witness.name} has no line of ${replica.name}`, () => gone(witness))),
  )
}

/** Resolves when all replicas list this number of lines of the service. */
export async function untilLines({ cluster }: Scene, service: string, count: number): Promise<void> {
  await Promise.all(
    cluster.replicas.map(witness =>
      eventually(`${witness.name} has ${count} lines of ${service}`, async () =>
        (await cluster.linesOf(witness, service)) === count ? true : undefined,
      ),
    ),
  )
}
