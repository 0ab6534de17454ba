# SPDX-License-Identifier: Apache-2.0
# TaskCreated, version 0 to 1: "[Knowledge Area] Title" becomes knowledge_area and title.
#
# A title is split only where TaskCreated.v1.down.jq gives exactly the same title again: its first character is "[", the bracket
# that closes it (brackets in between are counted) is followed by one space, and neither what is between the brackets nor what
# follows the space is blank. Every other title stays whole, with the knowledge area "". Characters are Unicode's code points;
# nothing is trimmed, folded or normalised. README.md beside this folder has examples.

# Unicode's White_Space.
def blank:
  (. >= 9 and . <= 13) or . == 32 or . == 133 or . == 160 or . == 5760 or (. >= 8192 and . <= 8202)
  or . == 8232 or . == 8233 or . == 8239 or . == 8287 or . == 12288;

# Of code points that begin with "[": where the bracket that closes it is; nothing if there is none.
def closing:
  label $found
  | foreach .[] as $point ([0, -1];
      [.[0] + (if $point == 91 then 1 elif $point == 93 then -1 else 0 end), .[1] + 1];
      if .[0] == 0 then .[1], break $found else empty end);

# Of code points: [area, title], or nothing.
def parts:
  if .[0] != 91 then empty
  else [closing] as $closing
    | if $closing == [] or .[$closing[0] + 1] != 32 then empty
      else [.[1:$closing[0]], .[$closing[0] + 2:]]
        | if any(.[]; all(.[]; blank)) then empty else map(implode) end
      end
  end;

([.title | explode | parts][0] // ["", .title]) as [$area, $title]
| {task_id, knowledge_area: $area, title: $title, manager_id, created_at}
