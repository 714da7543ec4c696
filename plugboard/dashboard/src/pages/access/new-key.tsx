// The form of a new API key. The key itself is shown once.

import { useState } from 'preact/hooks'
import type { CreatedKeyBody } from '../../../../admin/api-types.ts'
import { ApiError, request } from '../../api/request.ts'
import { Dialog } from '../../forms/action.tsx'
import { Field } from '../../forms/field.tsx'
import { CommandLine } from '../../parts/command-line.tsx'

const READ_ONLY = ['status:read', 'metrics:read', 'traffic:read', 'changes:read'] as const
const AREAS = ['routes', 'services', 'tokens', 'keys'] as const

export function NewKey({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set(['status:read']))
  const [ttl, setTtl] = useState('')
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const [created, setCreated] = useState<CreatedKeyBody | undefined>(undefined)
  if (created !== undefined) {
    return (
      <Dialog title={`API key ${created.name}`} onClose={onClose}>
        <div class="notice" data-tone="warn">
          Copy the key now. It is shown only once.
        </div>
        <CommandLine command={created.key} />
        <div class="actions">
          <button type="button" class="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    )
  }
  const all = ['admin', ...READ_ONLY, ...AREAS.flatMap(area => [`${area}:read`, `${area}:write`])]
  return (
    <Dialog title="Create an API key" onClose={onClose}>
      <form
        class="stack"
        onSubmit={async event => {
          event.preventDefault()
          try {
            const body = { name, scopes: [...scopes], ...(ttl === '' ? {} : { ttl }) }
            setCreated((await request<CreatedKeyBody>('POST', '/v1/keys', { body })).body)
          } catch (reason) {
            setError(reason instanceof ApiError ? reason : new ApiError(0, { detail: String(reason) }))
          }
        }}
      >
        <Field
          name="name"
          label="Name"
          value={name}
          onInput={setName}
          error={error}
          required
          placeholder="deploy"
        />
        <fieldset>
          <legend>Scopes</legend>
          <div class="row">
            {all.map(scope => (
              <label key={scope} class="row">
                <input
                  type="checkbox"
                  checked={scopes.has(scope)}
                  onChange={event => {
                    const next = new Set(scopes)
                    if (event.currentTarget.checked) next.add(scope)
                    else next.delete(scope)
                    setScopes(next)
                  }}
                />
                <span class="mono">{scope}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <Field
          name="ttl"
          label="Lifetime (empty: until it is revoked)"
          value={ttl}
          onInput={setTtl}
          error={error}
          placeholder="365d"
        />
        {error !== undefined && error.culprits.length === 0 && (
          <div class="notice" data-tone="bad" role="alert">
            {error.message}
          </div>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Create
          </button>
        </div>
      </form>
    </Dialog>
  )
}
