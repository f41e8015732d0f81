// The words for a status, where they differ from it.

export const NAMES: Record<string, string> = {
  fallback: "falling back",
  stopping: "stopping…",
  aborted: "stopped",
  lost: "not connected",
};
