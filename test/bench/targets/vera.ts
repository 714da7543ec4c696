import { type StartTarget, TargetMissing } from '../target.ts'
export const startVera: StartTarget = async () => {
  throw new TargetMissing('being built')
}
