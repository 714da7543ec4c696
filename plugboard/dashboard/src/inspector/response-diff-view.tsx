// The differences between two responses: status, fields and bodies.

import type { ReplayedBody } from '../../../admin/api-types.ts'
import { bytes } from '../parts/format.ts'
import { MaskedText } from './masked-text.tsx'

export function ResponseDiffView({ diff }: { diff: ReplayedBody['diff'] }) {
  const { status, fields, body } = diff
  const isSame = status.before === status.after && fields.length === 0 && body.equal
  return (
    <section class="stack" aria-label="Differences of the responses">
      {isSame && <p class="good">The responses are equal, without Date, Age and the id of the request.</p>}
      {status.before !== status.after && (
        <Change name="Status" before={statusText(status.before)} after={statusText(status.after)} />
      )}
      {fields.map(({ name, before, after }) => (
        <Change key={name} name={name} before={listText(before)} after={listText(after)} />
      ))}
      {!body.equal && (
        <p class="soft">
          The bodies differ: {bytes(body.bytes.before)}, then {bytes(body.bytes.after)}.
        </p>
      )}
      {body.differences.map(({ at, before, after }) => (
        <Change key={at} name={at === '' ? 'body' : at} before={before} after={after} />
      ))}
      {body.more > 0 && <p class="soft">{body.more} further differences of the bodies are not listed.</p>}
    </section>
  )
}

/** Null: the response lacks the value. */
function Change({ name, before, after }: { name: string; before: string | null; after: string | null }) {
  return (
    <div>
      <p class="mono soft">{name}</p>
      <div class="diff">
        {before !== null && (
          <div class="removed">
            - <MaskedText text={before} />
          </div>
        )}
        {after !== null && (
          <div class="added">
            + <MaskedText text={after} />
          </div>
        )}
      </div>
    </div>
  )
}

const statusText = (status: number | null): string => (status === null ? 'no response' : String(status))
const listText = (values: readonly string[]): string | null =>
  values.length === 0 ? null : values.join(', ')
