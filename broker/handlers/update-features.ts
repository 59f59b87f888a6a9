/**
 * UpdateFeatures (57), versions 0 to 2: moves finalized levels, all of the request or none. v0 says `allow_downgrade`,
 * v1 the type of upgrade and `validate_only`; from v2 there is one answer for the request instead of one a feature.
 */
import { CODE } from '../wire/errors.ts';
import { updateFeatures } from '../wire/schemas/index.ts';
import { handler } from '../server/handler.ts';
import { UPGRADE_TYPE } from '../server/features.ts';

export default handler({
  api: updateFeatures,
  versions: [0, 2],
  async handle({ featureUpdates, validateOnly }, { broker, version, may }) {
    const refuse = (errorCode: number, errorMessage: string) => ({ errorCode, errorMessage, results: [] });
    if (!may('Alter', 'Cluster')) {
      return refuse(CODE.CLUSTER_AUTHORIZATION_FAILED, 'cannot update features: want Alter on the cluster');
    }
    const names = featureUpdates.map(({ feature }) => feature);
    if (new Set(names).size < names.length) {
      return refuse(CODE.INVALID_REQUEST, 'cannot update features: got one of them twice');
    }
    const updates = featureUpdates.map((update) => ({
      name: update.feature,
      level: update.maxVersionLevel,
      upgradeType: version === 0 && update.allowDowngrade ? UPGRADE_TYPE.safeDowngrade : update.upgradeType,
    }));
    let problem: string | undefined;
    try {
      problem = await broker.features.update(updates, validateOnly);
    } catch (error) {
      broker.host.log.error({ err: error }, 'cannot keep the levels of features');
      return refuse(CODE.FEATURE_UPDATE_FAILED, 'cannot update features: the disk refused');
    }
    if (problem !== undefined) return refuse(CODE.INVALID_UPDATE_VERSION, problem);
    return {
      errorCode: CODE.NONE,
      errorMessage: null,
      results: names.map((feature) => ({ feature, errorCode: CODE.NONE, errorMessage: null })),
    };
  },
});
