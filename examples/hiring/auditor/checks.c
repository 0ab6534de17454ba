// SPDX-License-Identifier: Apache-2.0
// What must hold, as SQL over the four databases (staff, tasks, bonuses, portal) and the load's log (told_*). Each row that a
// check gives is a finding's text. Parameters of the run: the table `allowed` (rating_freshness_us NULL: any age will do for a
// rating read from the table; manager_staleness_us).
//
// What the caller was told is done must be done once; what it was told is not done, or was not told about, may be done once or
// not at all, never twice. Order: a completion that was first sent when `sent_after` completions of its task had been accepted
// must be accrued after all of them.
#include "auditor/audit.h"

const char prepare_sql[] =
        // Accruals of one completion, and where the first stands in the order of arrival.
        "CREATE TEMP TABLE accrued AS SELECT task_id, candidate_id, count(*) AS times, min(accrual_id) AS arrival,"
        " sum(amount) AS"
        " amount FROM bonuses.accruals GROUP BY task_id, candidate_id;"
        "CREATE UNIQUE INDEX temp.accrued_of ON accrued(task_id, candidate_id);"
        // For each accepted completion: the latest arrival among it and those accepted before it.
        "CREATE TEMP TABLE latest AS SELECT c.task_id, c.order_no, c.candidate_id, max(a.arrival) OVER (PARTITION BY"
        " c.task_id ORDER"
        " BY c.order_no) AS arrival FROM tasks.completions c LEFT JOIN accrued a USING(task_id, candidate_id)"
        " WHERE c.state='accepted';"
        "CREATE UNIQUE INDEX temp.latest_of ON latest(task_id, order_no);"
        // Every state of a manager, from when it may be seen, until when: the next state that someone was told of.
        "CREATE TEMP TABLE told_states AS SELECT h.manager_id, h.version, min(t.answered) AS told FROM told_managers t JOIN"
        " (SELECT manager_id, version, canonical(body) AS body FROM staff.manager_history) h ON h.manager_id=t.manager_id AND"
        " (h.body=t.body OR (h.body IS NULL AND t.verb='DELETE')) WHERE t.status BETWEEN 200 AND 299 GROUP BY 1, 2;"
        "CREATE UNIQUE INDEX temp.told_states_of ON told_states(manager_id, version);"
        "CREATE TEMP TABLE states AS SELECT h.manager_id, h.version, canonical(h.body) AS body,"
        " json_extract(h.body, '$.created_at') AS created_at, h.at_us AS from_us,"
        " min(s.told)"
        " OVER (PARTITION BY h.manager_id ORDER BY h.version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS until_us"
        " FROM staff.manager_history h LEFT JOIN told_states s USING(manager_id, version);"
        "CREATE INDEX temp.states_of ON states(manager_id);"
        // Cards and views. What was erased since is taken from the copy of before, if there is one.
        "CREATE TEMP TABLE held_cards AS SELECT task_id, version, CASE WHEN json_extract(body, '$.manager_ref') IS NOT NULL THEN 2"
        " WHEN json_extract(body, '$.knowledge_area') IS NOT NULL THEN 1 ELSE 0 END AS form, json_extract(body, '$.task_id')"
        " AS says_id, json_extract(body, '$.knowledge_area') AS area, json_extract(body, '$.title') AS title,"
        " json_extract(body, '$.manager_id') AS manager_id, json_extract(body, '$.manager_ref') AS ref,"
        " json_extract(body, '$.created_at') AS created_at FROM portal.cards;"
        "CREATE UNIQUE INDEX temp.held_cards_of ON held_cards(task_id);"
        "CREATE TEMP TABLE shown AS SELECT v.view_id, v.task_id, v.knowledge_area AS area, v.title, v.manager_ref AS ref,"
        " CASE v.erased WHEN 0 THEN v.manager_id ELSE b.manager_id END AS manager_id,"
        " canonical(CASE v.erased WHEN 0 THEN v.manager ELSE b.manager END) AS manager,"
        " v.erased AND b.view_id IS NULL AS unknown, v.began_us, v.ended_us FROM portal.views v LEFT JOIN before_views b"
        " ON v.erased AND b.view_id=v.view_id AND b.task_id=v.task_id AND b.title=v.title;"
        // A reference, and whose it is by the task that carries it.
        "CREATE TEMP TABLE refs AS SELECT DISTINCT r.ref, t.manager_id FROM (SELECT task_id, ref FROM held_cards UNION SELECT"
        " task_id, ref FROM shown UNION SELECT task_id, json_extract(manager, '$.manager_ref') FROM shown) r JOIN tasks.tasks t"
        " USING(task_id) WHERE r.ref IS NOT NULL;"
        // Every title of a task as its parts, from when it may be seen, until when.
        "CREATE TEMP TABLE titles AS SELECT task_id, version, area_of(title) AS area, name_of(title) AS name, at_us AS from_us,"
        " lead(at_us) OVER (PARTITION BY task_id ORDER BY version) AS until_us FROM tasks.task_history;"
        "CREATE INDEX temp.titles_of ON titles(task_id, name);"
        "CREATE TEMP TABLE explained_titles AS SELECT v.view_id, min(CASE WHEN s.task_id IS NULL THEN NULL ELSE"
        " max(0, v.began_us - ifnull(s.until_us, v.began_us)) END) AS stale_us FROM shown v LEFT JOIN titles s"
        " ON s.task_id=v.task_id AND s.name=v.title AND s.area=v.area AND s.from_us<=v.ended_us GROUP BY v.view_id;"
        // Each view with the best explanation: how stale the manager shown was. One that is shown by reference says when it was
        // registered, and no more.
        "CREATE TEMP TABLE explained AS SELECT v.view_id, min(CASE WHEN s.manager_id IS NULL THEN NULL ELSE"
        " max(0, v.began_us - ifnull(s.until_us, v.began_us)) END) AS stale_us FROM shown v JOIN tasks.tasks t USING(task_id)"
        " LEFT JOIN states s ON s.manager_id=t.manager_id AND s.from_us<=v.ended_us AND (s.body IS v.manager OR (s.created_at="
        "json_extract(v.manager, '$.created_at') AND json_remove(v.manager, '$.manager_ref', '$.created_at')='{}'"
        " AND json_extract(v.manager, '$.manager_ref') IS NOT NULL)) WHERE NOT v.unknown GROUP BY v.view_id;"
        // Each accrual with the age of the rating it used: how long ago the next version was there.
        "CREATE TEMP TABLE used AS SELECT a.accrual_id, a.task_id, a.candidate_id, a.rating, a.rating_version,"
        " a.rating_source,"
        " a.rating_read_us, max(0, a.rating_read_us - ifnull(n.at_us, a.rating_read_us)) AS stale_us FROM bonuses.accruals a"
        " LEFT JOIN tasks.rating_history n ON n.task_id=a.task_id AND n.rating_version=a.rating_version+1;"
        "CREATE INDEX temp.told_ratings_of ON told_ratings(task_id, rating_version);"
        "CREATE INDEX temp.told_managers_of ON told_managers(manager_id);";

#define TOLD "status BETWEEN 200 AND 299"

const struct check checks[] = {
        { KIND_LOST, "accrual", "SELECT printf('task %d, candidate %d: accepted (completion %d), never accrued', c.task_id,"
          " c.candidate_id, c.completion_id) FROM tasks.completions c LEFT JOIN accrued a USING(task_id, candidate_id)"
          " WHERE c.state='accepted' AND a.times IS NULL ORDER BY c.completion_id" },
        { KIND_LOST, "completion", "SELECT printf('task %d, candidate %d: the candidate was told it is accepted, tasks"
          " has it as %s',"
          " t.task_id, t.candidate_id, ifnull(c.state, 'unknown')) FROM told_completions t LEFT JOIN tasks.completions c"
          " USING(task_id, candidate_id) WHERE t." TOLD " AND c.state IS NOT 'accepted'" },
        { KIND_LOST, "manager write", "SELECT printf('manager %d: %s was answered %d at %d, staff has no such state',"
          " t.manager_id,"
          " t.verb, t.status, t.answered) FROM told_managers t WHERE t." TOLD " AND NOT EXISTS (SELECT 1 FROM states s WHERE"
          " s.manager_id=t.manager_id AND s.body IS CASE t.verb WHEN 'DELETE' THEN NULL ELSE t.body END)" },
        { KIND_LOST, "manager state", "SELECT printf('manager %d: its last write is version %d, staff holds version %s',"
          " h.manager_id, max(h.version), ifnull(m.version, 'none')) FROM staff.manager_history h LEFT JOIN staff.managers m"
          " USING(manager_id) GROUP BY h.manager_id HAVING m.version IS NOT CASE WHEN h.body IS NULL THEN NULL ELSE"
          " max(h.version) END" },
        { KIND_LOST, "rating change", "SELECT printf('task %d: rating %d was answered as version %d, tasks has %s"
          " there', t.task_id,"
          " t.rating, t.rating_version, ifnull(h.rating, 'nothing')) FROM told_ratings t LEFT JOIN tasks.rating_history h"
          " USING(task_id, rating_version) WHERE t." TOLD " AND h.rating IS NOT t.rating" },
        { KIND_LOST, "rating", "SELECT printf('task %d: rating %d, version %d, did not reach bonuses, which holds"
          " version %s',"
          " r.task_id, r.rating, r.rating_version, ifnull(b.rating_version, 'none')) FROM tasks.ratings r LEFT JOIN"
          " held_ratings b USING(task_id) WHERE (SELECT keeps FROM allowed) AND b.rating_version IS NOT r.rating_version" },
        { KIND_LOST, "task", "SELECT printf('task %d: its registration was answered, tasks does not have it', t.task_id)"
          " FROM told_tasks t LEFT JOIN tasks.tasks k USING(task_id) WHERE t." TOLD " AND k.task_id IS NULL" },
        { KIND_LOST, "task change", "SELECT printf('task %d: the title \"%s\" was answered, tasks never had it', t.task_id, t.title)"
          " FROM told_tasks t JOIN tasks.tasks USING(task_id) LEFT JOIN tasks.task_history h ON h.task_id=t.task_id AND"
          " h.title=t.title WHERE t." TOLD " AND h.task_id IS NULL" },
        { KIND_LOST, "card", "SELECT printf('task %d: portal has no card of it', t.task_id) FROM tasks.tasks t LEFT JOIN"
          " portal.cards c USING(task_id) WHERE c.task_id IS NULL" },
        { KIND_DOUBLED, "accrual", "SELECT printf('task %d, candidate %d: accrued %d times, %d in all, first as accrual"
          " %d', task_id,"
          " candidate_id, times, amount, arrival) FROM accrued WHERE times>1" },
        { KIND_DOUBLED, "call", "SELECT printf('identity %s: executed %d times, for task %d, candidate %d', c.identity,"
          " count(*),"
          " c.task_id, c.candidate_id) FROM bonuses.calls c LEFT JOIN accrued a USING(task_id, candidate_id) WHERE"
          " c.became='done' AND c.identity IS NOT NULL GROUP BY c.identity HAVING count(*)>1 AND ifnull(max(a.times), 0)<2" },
        { KIND_REORDERED, "accrual", "SELECT printf('task %d, candidate %d: sent after %d of the task had been"
          " accepted, accrued (%d)"
          " before one of those (%d)', c.task_id, c.candidate_id, c.sent_after, a.arrival, l.arrival) FROM"
          " tasks.completions c JOIN"
          " accrued a USING(task_id, candidate_id) JOIN latest l ON l.task_id=c.task_id AND l.order_no=c.sent_after"
          " WHERE a.arrival<l.arrival" },
        { KIND_WRONG, "recognition", "SELECT printf('call %d: identity %s was recognised, but nothing was done under it"
          " before',"
          " r.call_id, r.identity) FROM bonuses.calls r WHERE r.became='recognised' AND NOT EXISTS (SELECT 1 FROM"
          " bonuses.accruals a"
          " WHERE a.accrual_id=r.accrual_id AND a.identity=r.identity AND a.task_id=r.task_id AND"
          " a.candidate_id=r.candidate_id)" },
        { KIND_WRONG, "accrual", "SELECT printf('task %d, candidate %d: accrued, but nobody completed it', a.task_id,"
          " a.candidate_id)"
          " FROM accrued a LEFT JOIN tasks.completions c USING(task_id, candidate_id) WHERE c.completion_id IS NULL" },
        { KIND_WRONG, "call", "SELECT printf('accrual %d has no call that made it', a.accrual_id) FROM bonuses.accruals"
          " a WHERE NOT"
          " EXISTS (SELECT 1 FROM done_calls d WHERE d.accrual_id=a.accrual_id)" },
        { KIND_WRONG, "amount", "SELECT printf('task %d, candidate %d: %d was accrued, rating %d makes %d', task_id,"
          " candidate_id,"
          " amount, rating, 1000+100*rating) FROM bonuses.accruals WHERE amount<>1000+100*rating" },
        { KIND_WRONG, "manager", "SELECT printf('task %d, candidate %d: accrued to manager %d, the task is manager"
          " %d''s', a.task_id,"
          " a.candidate_id, a.manager_id, t.manager_id) FROM bonuses.accruals a JOIN tasks.tasks t USING(task_id)"
          " WHERE a.manager_id<>t.manager_id" },
        { KIND_WRONG, "account", "SELECT printf('manager %d: the account holds %d, the accruals make %d', manager_id,"
          " sum(balance),"
          " sum(accruals)) FROM (SELECT manager_id, balance, 0 AS accruals FROM bonuses.accounts UNION ALL SELECT"
          " manager_id, 0,"
          " sum(amount) FROM bonuses.accruals GROUP BY manager_id) GROUP BY manager_id HAVING sum(balance)<>sum(accruals)" },
        { KIND_WRONG, "rating", "SELECT printf('task %d, candidate %d: accrued with rating %d, version %d; %s', a.task_id,"
          " a.candidate_id, a.rating, a.rating_version, CASE WHEN h.rating IS NULL AND a.rating_version>0 THEN 'there"
          " is no such"
          " version' ELSE printf('that version is %d', ifnull(h.rating, 0)) END) FROM bonuses.accruals a LEFT JOIN"
          " tasks.rating_history h USING(task_id, rating_version) WHERE a.rating IS NOT CASE a.rating_version WHEN 0"
          " THEN 0 ELSE"
          " h.rating END" },
        { KIND_WRONG, "freshness", "SELECT printf('task %d, candidate %d: the call gave version %d of the rating,"
          " version %d had been"
          " answered %.1f ms before', u.task_id, u.candidate_id, u.rating_version, max(t.rating_version),"
          " (u.rating_read_us-min(t.answered))/1000.0) FROM used u JOIN told_ratings t ON t.task_id=u.task_id AND"
          " t.rating_version>u.rating_version AND t." TOLD " AND t.answered<u.rating_read_us WHERE u.rating_source='call'"
          " GROUP BY u.accrual_id" },
        { KIND_WRONG, "freshness", "SELECT printf('task %d, candidate %d: version %d of the rating was %.1f ms old', task_id,"
          " candidate_id, rating_version, stale_us/1000.0) FROM used WHERE rating_source='table' AND stale_us>"
          " (SELECT rating_freshness_us FROM allowed)" },
        { KIND_WRONG, "card", "SELECT printf('task %d: the card (version %d, held as %d) says \"%s\", \"%s\", manager %s; the task"
          " is \"%s\", manager %d', c.task_id, c.form, c.version, ifnull(c.area, ''), c.title, ifnull(c.manager_id, c.ref), t.title,"
          " t.manager_id) FROM held_cards c LEFT JOIN tasks.tasks t USING(task_id) WHERE t.task_id IS NULL OR c.form<>c.version OR"
          " c.says_id IS NOT c.task_id OR c.created_at IS NOT t.created_at OR CASE c.form WHEN 0 THEN c.area IS NOT NULL OR"
          " c.title IS NOT t.title ELSE c.area IS NOT area_of(t.title) OR c.title IS NOT name_of(t.title) END OR"
          " CASE c.form WHEN 2 THEN c.manager_id IS NOT NULL ELSE c.manager_id IS NOT t.manager_id END" },
        { KIND_WRONG, "view", "SELECT printf('view %d of task %d: showed \"%s\", \"%s\", manager %d, which was not the task until"
          " then', v.view_id, v.task_id, v.area, v.title, v.manager_id) FROM shown v LEFT JOIN tasks.tasks t USING(task_id) LEFT"
          " JOIN explained_titles e USING(view_id) WHERE e.stale_us IS NULL OR (v.manager_id IS NOT t.manager_id AND"
          " v.ref IS NULL AND NOT v.unknown)" },
        { KIND_WRONG, "reference", "SELECT printf('the reference %s is of the managers %s', ref, group_concat(manager_id)) FROM refs"
          " GROUP BY ref HAVING count(*)>1" },
        { KIND_WRONG, "reference", "SELECT printf('manager %d has the references %s', manager_id, group_concat(ref)) FROM refs"
          " GROUP BY manager_id HAVING count(*)>1" },
        { KIND_WRONG, "reference", "SELECT printf('manager %d has his id as reference', manager_id) FROM refs WHERE"
          " ref=CAST(manager_id AS TEXT)" },
        { KIND_WRONG, "reference", "SELECT printf('view %d of task %d: the card says %s, the manager shown %s', view_id, task_id,"
          " ref, json_extract(manager, '$.manager_ref')) FROM shown WHERE ref<>json_extract(manager, '$.manager_ref')" },
        { KIND_WRONG, "manager shown", "SELECT printf('view %d of task %d: showed manager %s as %s, %s', v.view_id,"
          " v.task_id,"
          " ifnull(v.manager_id, v.ref), ifnull(v.manager, 'gone'), CASE WHEN e.stale_us IS NULL THEN 'which it was not until then'"
          " ELSE printf("
          "'%.1f ms after another state had been answered', e.stale_us/1000.0) END) FROM shown v JOIN explained e"
          " USING(view_id)"
          " WHERE e.stale_us IS NULL OR e.stale_us>(SELECT manager_staleness_us FROM allowed)" },
};
const size_t check_count = sizeof(checks) / sizeof(checks[0]);

const struct check reference_checks[] = {
        { KIND_WRONG, "personal", "SELECT printf('task %d: the card holds manager %d', task_id, manager_id) FROM held_cards WHERE"
          " manager_id IS NOT NULL" },
        { KIND_WRONG, "personal", "SELECT printf('view %d: it holds manager %s', view_id, ifnull(manager_id, json_extract(manager,"
          " '$.manager_id'))) FROM portal.views WHERE manager_id IS NOT NULL OR EXISTS (SELECT 1 FROM json_each(manager) WHERE"
          " key NOT IN ('manager_ref', 'created_at'))" },
};
const size_t reference_check_count = sizeof(reference_checks) / sizeof(reference_checks[0]);

const struct figure figures[] = {
        { "completions accepted", "SELECT count(*) FROM tasks.completions WHERE state='accepted'" },
        { "completions told accepted", "SELECT count(*) FROM (SELECT DISTINCT task_id, candidate_id FROM"
          " told_completions WHERE " TOLD ")" },
        { "completions not told accepted", "SELECT count(*) FROM tasks.completions WHERE state<>'accepted'" },
        { "accruals", "SELECT count(*) FROM bonuses.accruals" },
        { "manager writes accepted", "SELECT count(*) FROM staff.manager_history" },
        { "manager writes told accepted", "SELECT count(*) FROM told_managers WHERE " TOLD },
        { "rating changes accepted", "SELECT count(*) FROM tasks.rating_history" },
        { "rating changes told accepted", "SELECT count(*) FROM told_ratings WHERE " TOLD },
        { "tasks registered", "SELECT count(*) FROM tasks.tasks" },
        { "task changes accepted", "SELECT count(*) FROM tasks.task_history WHERE version>1" },
        { "cards of version 0", "SELECT count(*) FROM held_cards WHERE form=0" },
        { "cards of version 1", "SELECT count(*) FROM held_cards WHERE form=1" },
        { "cards of version 2", "SELECT count(*) FROM held_cards WHERE form=2" },
        { "cards viewed", "SELECT count(*) FROM shown" },
        { "calls that reached bonuses", "SELECT count(*) FROM bonuses.calls" },
        { "calls refused by bonuses", "SELECT count(*) FROM bonuses.calls WHERE became='refused'" },
        { "repeats recognised", "SELECT count(*) FROM bonuses.calls WHERE became='recognised'" },
        { "ratings read from the table", "SELECT count(*) FROM used WHERE rating_source='table'" },
        { "stalest of them, ms", "SELECT ifnull(max(stale_us), 0)/1000.0 FROM used WHERE rating_source='table'" },
        { "ratings read by a call", "SELECT count(*) FROM used WHERE rating_source='call'" },
        { "stalest of those, ms", "SELECT ifnull(max(stale_us), 0)/1000.0 FROM used WHERE rating_source='call'" },
        { "stalest title shown, ms", "SELECT ifnull(max(stale_us), 0)/1000.0 FROM explained_titles" },
        { "managers shown, erased since", "SELECT count(*) FROM shown WHERE unknown" },
        { "stalest manager shown, ms", "SELECT ifnull(max(stale_us), 0)/1000.0 FROM explained" },
};
const size_t figure_count = sizeof(figures) / sizeof(figures[0]);
