# SPDX-License-Identifier: Apache-2.0
# TaskCreated, version 1 to 0: the title as its author wrote it, "[Knowledge Area] Title"; without an area, the title alone.
{
  task_id,
  title: (if .knowledge_area == "" then .title else "[" + .knowledge_area + "] " + .title end),
  manager_id,
  created_at
}
