// `plugboard explain ID`: why a request failed, from the id on its error page.

import type { Command } from 'commander'
import type { ExplanationBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, segment } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { type Column, relative } from '../../output/output.ts'
import { reasonText } from './request-text.ts'

export function defineExplain(explain: Command, context: CliContext): void {
  explain.argument('<id>', 'the request id on the error page, or at least its first 8 characters')
  examples(explain, 'explain 0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e')
  apiAction(explain, context, async ({ api, output }: ApiCommand<object>, id: string) => {
    const explanation = await api.get<ExplanationBody>(`/v1/requests/${segment(id)}`)
    await output.row(explanation, summary(context))
    await output.section('Failed attempts:', explanation.attempts, ATTEMPTS)
    await output.section('Lines of the service at that moment:', explanation.lines?.items ?? [], LINES)
    noteMissing(output, explanation.missingReplicas)
  })
}

const summary = (context: CliContext): readonly Column<ExplanationBody>[] => [
  { title: 'request', value: ({ request }) => request.requestId },
  { title: 'what', value: ({ request }) => `${request.method} ${request.host}${request.path}` },
  { title: 'when', value: ({ request }) => `${relative(request.at, context.now())} (${request.at})` },
  { title: 'status', value: ({ request }) => request.status },
  { title: 'reason', value: ({ request }) => reasonText(request.code, request.cause) },
  {
    title: 'meaning',
    value: ({ meaning }) => meaning ?? 'The request succeeded. It was slow, or was sent again.',
  },
  { title: 'detail', value: ({ request }) => request.detail },
  { title: 'what to do', value: ({ next }) => next.join(' ') },
  { title: 'route', value: ({ request }) => request.mount ?? 'none' },
  { title: 'service', value: ({ request }) => request.service },
  { title: 'telephone', value: ({ request }) => request.telephoneId },
  {
    title: 'duration',
    value: ({ request: { durationMs, headMs, backendMs } }) =>
      [`${durationMs} ms`, headMs && `head after ${headMs} ms`, backendMs && `backend ${backendMs} ms`]
        .filter(Boolean)
        .join(', '),
  },
  {
    title: 'lines',
    value: ({ lines }) => lines && `${lines.serving} of ${lines.total} could take a request`,
  },
  { title: 'client', value: ({ request }) => request.remoteAddress },
  { title: 'replica', value: ({ request }) => request.replicaId },
  { title: 'replay of', value: ({ request }) => request.replayOf },
  { title: 'trace', value: ({ request }) => request.traceId },
]

const ATTEMPTS: readonly Column<ExplanationBody['attempts'][number]>[] = [
  { title: 'after', value: ({ afterMs }) => `${afterMs} ms` },
  { title: 'telephone', value: ({ telephone }) => telephone },
  { title: 'replica', value: ({ replicaId }) => replicaId },
  { title: 'reason', value: ({ code, cause }) => reasonText(code, cause) },
  { title: 'detail', value: ({ detail }) => detail },
]

const LINES: readonly Column<NonNullable<ExplanationBody['lines']>['items'][number]>[] = [
  { title: 'telephone', value: ({ telephone }) => telephone },
  { title: 'replica', value: ({ replicaId }) => replicaId },
  { title: 'state', value: ({ state }) => state },
]
