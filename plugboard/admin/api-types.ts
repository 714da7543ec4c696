// The shapes of the admin API for its clients: the command line imports these types, and no code of the API. Each type is derived
// from a zod schema in bodies/. The server checks with the same schema, and the OpenAPI document shows it.

export type { TrafficSecond } from '../observe/traffic/traffic-feed.ts'
export type { ShownOverride } from '../telephones/inspection/shown-override.ts'
export type { ListedTelephone } from '../telephones/listed-telephone.ts'
export type { KeyScope } from './access/scope.ts'
export type { BundleItem, BundleResultBody } from './bodies/bundle.ts'
export type { ChangeBody, ResetBody } from './bodies/changes/change.ts'
export type { UndoneBody } from './bodies/changes/undone.ts'
export type { CheckBody, DoctorBody } from './bodies/check.ts'
export type {
  CertificateBody,
  ClusterStatusBody,
  ReplicaLinkBody,
  ReplicaStateBody,
} from './bodies/cluster-status.ts'
export type { CreatedKeyBody, KeyBody } from './bodies/credentials/key.ts'
export type { SigningKeyBody } from './bodies/credentials/signing-key.ts'
export type { IssuedTokenBody, TokenBody } from './bodies/credentials/token.ts'
export type { EjectionsBody } from './bodies/policy/ejection.ts'
export type { LimitPageBody, LimitRowBody } from './bodies/policy/limit.ts'
export type { LimitsBody } from './bodies/policy/limit-counters.ts'
export type { ProcessOverrideBody } from './bodies/policy/process-override.ts'
export type {
  ProcessOnReplica,
  ServiceOnReplica,
  ServiceProcessBody,
  ServiceProcessesBody,
} from './bodies/policy/service-processes.ts'
export type { MissingReplicas, ReplicaBody, ReplicasBody, ServiceLinesBody } from './bodies/replica.ts'
export type {
  CapturedBodyBody,
  ExchangeBody,
  ExchangePageBody,
  ExchangeSummaryBody,
} from './bodies/requests/exchange.ts'
export type { ReplayedBody, ReplayInput } from './bodies/requests/replay.ts'
export type { ExplanationBody, RequestBody, RequestPageBody } from './bodies/requests/request.ts'
export type { PrunedRoutesBody, RouteBody } from './bodies/route.ts'
export type { MatchBody, MatchLineBody } from './bodies/route-match.ts'
export type { RouteTrafficBody, RouteTrafficItem } from './bodies/route-traffic.ts'
export type { ServiceBody } from './bodies/service.ts'
export type { OutageBody, OutagesBody } from './bodies/service-outage.ts'
export type { FailedServiceBody, StatusBody } from './bodies/status.ts'
export type { TelephonePageBody } from './bodies/telephone.ts'
export type { TrafficBody } from './bodies/traffic.ts'
export type { TrafficSeriesBody } from './bodies/traffic-series.ts'
export type { DisconnectedBody, TunnelHistoryBody } from './bodies/tunnel-events.ts'
export type { LoginLinkBody, SessionBody } from './session/session-operations.ts'
