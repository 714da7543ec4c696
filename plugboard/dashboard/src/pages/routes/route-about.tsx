// The properties of a route, and its actions: disable, enable, and delete with undo.

import type { RouteBody } from '../../../../admin/api-types.ts'
import { request } from '../../api/request.ts'
import { ConfirmButton, run, showMessage } from '../../forms/action.tsx'
import { Chip } from '../../parts/chip.tsx'
import { CopyButton } from '../../parts/copy-button.tsx'
import { fullTime } from '../../parts/format.ts'
import { LastRequest } from '../../parts/last-request.tsx'
import { may, session } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import { urlOfMount } from './mount-url.ts'
import { RuleChips } from './rule-chips.tsx'

/** The response of a disabled route. A route with exactly this option is one that a person has disabled here. */
const DISABLED = { status: 503, body: 'This route is disabled.\n' } as const

export function RouteAbout({ route, onDeleted }: { route: RouteBody; onDeleted: () => void }) {
  const { id, version, service, options, claimedBy, lastTelephone, lastRequestAt, createdAt, updatedAt } =
    route
  const url = urlOfMount(route, session.value?.plugboardUrl ?? '')
  return (
    <div class="stack">
      <dl class="details">
        <dt>URL</dt>
        <dd class="with-copy">
          {url === undefined ? (
            'of each host that matches the pattern'
          ) : (
            <>
              <a class="mono" href={url} target="_blank" rel="noreferrer">
                {url}
              </a>
              <CopyButton text={url} />
            </>
          )}
        </dd>
        <dt>Service</dt>
        <dd>{service === null ? '–' : <a href={hrefOf(`/services/${service}`)}>{service}</a>}</dd>
        <dt>Rules</dt>
        <dd class="row">
          {isDisabled(options) && <Chip tone="warn">disabled</Chip>}
          {Object.keys(options).length === 0 ? 'none' : <RuleChips options={options} />}
        </dd>
        <dt>Last request</dt>
        <dd>
          <LastRequest recordedAt={lastRequestAt} seenAt={undefined} />
        </dd>
        <dt>Claimed by</dt>
        <dd>{claimedBy === null ? 'no telephone' : `${lastTelephone ?? 'a telephone'} (${claimedBy})`}</dd>
        <dt>Created</dt>
        <dd>{fullTime(createdAt)}</dd>
        <dt>Changed</dt>
        <dd>
          {fullTime(updatedAt)}, version {version}
        </dd>
        <dt>Id</dt>
        <dd class="mono">{id}</dd>
      </dl>
      {may('routes:write') && (
        <div class="row">
          <DisableButton route={route} />
          <ConfirmButton
            label="Delete"
            question={`Requests to ${route.mount} will no longer use this route. You can undo the deletion.`}
            onConfirm={async () => {
              await request('DELETE', `/v1/routes/${id}`, { ifMatch: `"${version}"` })
              showMessage(`Route ${route.mount} deleted.`, 'plain', {
                label: 'Undo',
                run: () =>
                  run(() => request('POST', `/v1/routes/${id}/restore`), `Route ${route.mount} restored.`),
              })
              onDeleted()
            }}
          />
        </div>
      )}
    </div>
  )
}

function DisableButton({ route: { id, version, mount, options } }: { route: RouteBody }) {
  const change = (respond: typeof DISABLED | null): Promise<unknown> =>
    request('PATCH', `/v1/routes/${id}`, { ifMatch: `"${version}"`, body: { options: { respond } } })
  if (isDisabled(options)) {
    return (
      <button type="button" onClick={() => void run(() => change(null), `Route ${mount} enabled.`)}>
        Enable
      </button>
    )
  }
  // A route that already responds itself has no service to protect.
  if ('respond' in options || 'redirect' in options) return null
  return (
    <ConfirmButton
      label="Disable"
      tone="plain"
      question={`Plugboard will respond to requests for ${mount} with 503, until a person enables the route.`}
      onConfirm={async () => {
        await change(DISABLED)
        showMessage(`Route ${mount} disabled.`)
      }}
    />
  )
}

/** The database does not keep the order of keys. */
function isDisabled({ respond }: { readonly respond?: unknown }): boolean {
  if (typeof respond !== 'object' || respond === null) return false
  const { status, body, ...others } = respond as Partial<typeof DISABLED>
  return status === DISABLED.status && body === DISABLED.body && Object.keys(others).length === 0
}
