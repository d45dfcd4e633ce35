/**
 * The id of a model whose folder lies in the hub's cache (`models--OWNER--NAME/snapshots/...`); undefined for any other.
 * What `config.json` calls `_name_or_path` is not asked: it is often the model that this one was trained from.
 */
export function hubIdOf(folder: string | undefined): string | undefined {
  const [, owner, name] = /(?:^|[\\/])models--([\w.-]+?)--([\w.-]+)[\\/]snapshots[\\/]/.exec(folder ?? "") ?? [];
  return owner === undefined ? undefined : `${owner}/${name!}`;
}
