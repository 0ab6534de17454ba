// SPDX-License-Identifier: Apache-2.0
// From the text of a pattern to its tree: ECMA-262, 22.2.1 (Disjunction, Alternative, Term, Atom), by recursive descent.
#include "schema/pattern_priv.h"

static struct node *new_node(struct parser *parser, enum node_kind kind) {
        struct node *node = arena_alloc(parser->arena, sizeof *node);
        node->kind = kind;
        node->at = parser->at;
        return node;
}

bool parse_wrong(const struct parser *parser, enum error_code code, const char *what) {
        return error_set(parser->error, code, "pattern, byte %zu: %s", parser->at, what);
}

static bool choice(struct parser *parser, struct node **ret_node);

// `at` is behind the <. RegExpIdentifierName; *ret_name is as it would be without escapes.
static bool group_name(struct parser *parser, struct bytes *ret_name) {
        char *name = arena_alloc(parser->arena, parser->source.size - parser->at + 1);
        size_t size = 0;
        while (parse_peek(parser, 0) != '>') {
                uint32_t point;
                if (parser->at == parser->source.size)
                        return parse_wrong(parser, ERROR_INVALID, "this name has no >");
                size_t start = parser->at;
                if (parse_peek(parser, 0) == '\\') {
                        if (parse_peek(parser, 1) != 'u')
                                return parse_wrong(parser, ERROR_INVALID, "not a name");
                        if (!parse_unicode_escape(parser, &point))
                                return false;
                } else {
                        const char *at = parser->source.data + parser->at;
                        unsigned length = utf8_sequence(at, parser->source.data + parser->source.size);
                        point = utf8_decode(at, length);
                        parser->at += length;
                }
                bool good = point == '$' || point == '_' || unicode_has(size ? "ID_Continue" : "ID_Start", point) ||
                            (size && (point == 0x200C || point == 0x200D));
                if (!good) {
                        parser->at = start;
                        return parse_wrong(parser, ERROR_INVALID, "this character cannot stand in a name");
                }
                size += utf8_encode(point, name + size);
        }
        if (!size)
                return parse_wrong(parser, ERROR_INVALID, "a name is empty");
        parser->at++;
        *ret_name = (struct bytes){name, size};
        return true;
}

static bool begin_capture(struct parser *parser, struct node *node, bool named) {
        if (parser->groups_before == PATTERN_GROUPS_MAX)
                return parse_wrong(parser, ERROR_LIMIT, "too many groups");
        node->group = ++parser->groups_before;
        if (!named)
                return true;
        size_t start = parser->at;
        struct bytes name;
        if (!group_name(parser, &name))
                return false;
        for (uint32_t i = 1; i < node->group; i++) {
                if (bytes_equal(parser->names[i], name)) {
                        parser->at = start;
                        return parse_wrong(parser, ERROR_UNSUPPORTED, "two groups of one name");
                }
        }
        parser->names[node->group] = name;
        return true;
}

// (?i: (?-s: (?im-s: of ECMA-262 since 2025.
static bool changes_flags(const struct parser *parser) {
        size_t ahead = 2;
        for (char c; (c = parse_peek(parser, ahead)) == 'i' || c == 'm' || c == 's' || c == '-'; )
                ahead++;
        return ahead > 2 && parse_peek(parser, ahead) == ':';
}

// `at` is the parenthesis.
static bool group(struct parser *parser, struct node **ret_node) {
        struct node *node = new_node(parser, NODE_GROUP);
        char second = parse_peek(parser, 2), third = parse_peek(parser, 3);
        bool captures = true, named = false;
        if (parse_peek(parser, 1) == '?') {
                bool behind = second == '<' && (third == '=' || third == '!');
                captures = named = second == '<' && !behind;
                if (second == '=' || second == '!' || behind) {
                        node->kind = NODE_LOOK;
                        node->behind = behind;
                        node->negated = (behind ? third : second) == '!';
                        parser->tree->look = true;
                } else if (changes_flags(parser)) {
                        return parse_wrong(parser, ERROR_UNSUPPORTED, "flags in a pattern");
                } else if (second != ':' && !named) {
                        return parse_wrong(parser, ERROR_INVALID, "a kind of group that ECMA-262 does not have");
                }
                parser->at += behind ? 4 : 3;
        } else {
                parser->at++;
        }
        if (captures && !begin_capture(parser, node, named))
                return false;
        if (++parser->depth > PATTERN_DEPTH_MAX)
                return parse_wrong(parser, ERROR_LIMIT, "groups are nested too deeply");
        if (!choice(parser, &node->child))
                return false;
        parser->depth--;
        if (parser->at == parser->source.size)
                return parse_wrong(parser, ERROR_INVALID, "a group has no )");
        parser->at++;
        *ret_node = node;
        return true;
}

static bool named_reference(struct parser *parser, struct node *node) {
        parser->at += 2;
        if (parse_peek(parser, 0) != '<')
                return parse_wrong(parser, ERROR_INVALID, "expected \\k<NAME>");
        parser->at++;
        if (parser->reference_count == parser->reference_capacity) {
                size_t capacity = parser->reference_capacity * 2 + 4;
                struct node **references = arena_alloc(parser->arena, capacity * sizeof *references);
                if (parser->reference_count)
                        memcpy(references, parser->references, parser->reference_count * sizeof *references);
                parser->references = references;
                parser->reference_capacity = capacity;
        }
        parser->references[parser->reference_count++] = node;
        return group_name(parser, &node->name);
}

// \1 … and \k<NAME>; `at` is the backslash.
static bool reference(struct parser *parser, struct node **ret_node) {
        struct node *node = new_node(parser, NODE_BACK);
        parser->tree->back = true;
        *ret_node = node;
        if (parse_peek(parser, 1) == 'k')
                return named_reference(parser, node);
        uint32_t number = 0;
        size_t size = 1;
        for (char c; (c = parse_peek(parser, size)) >= '0' && c <= '9'; size++)
                number = MIN(number * 10 + (uint32_t)(c - '0'), (uint32_t)PATTERN_BYTES_MAX);
        if (number > parser->tree->group_count)
                return parse_wrong(parser, ERROR_INVALID, "there is no such group");
        node->group = number;
        parser->at += size;
        return true;
}

static bool escape(struct parser *parser, struct node **ret_node) {
        char c = parse_peek(parser, 1);
        bool failed;
        uint32_t point;
        if (c == 'b' || c == 'B') {
                *ret_node = new_node(parser, NODE_WORD);
                (*ret_node)->negated = c == 'B';
                parser->at += 2;
                return true;
        }
        if ((c >= '1' && c <= '9') || c == 'k')
                return reference(parser, ret_node);
        struct node *node = new_node(parser, NODE_SET);
        *ret_node = node;
        if (parse_class_escape(parser, &node->set, &failed) || failed)
                return !failed;
        if (!parse_character_escape(parser, false, &point))
                return false;
        struct set_builder builder = {0};
        set_add(&builder, parser->arena, point, point);
        node->set = set_finish(&builder);
        return true;
}

static bool number(struct parser *parser, size_t *ahead, uint32_t *ret_number) {
        size_t start = *ahead;
        uint64_t value = 0;
        for (char c; (c = parse_peek(parser, *ahead)) >= '0' && c <= '9'; ++*ahead)
                value = MIN(value * 10 + (uint64_t)(c - '0'), (uint64_t)REPEAT_MAX + 1);
        *ret_number = (uint32_t)value;
        return *ahead > start;
}

// {n}, {n,} or {n,m}: its size, or 0.
static size_t counted(struct parser *parser, uint32_t *ret_least, uint32_t *ret_most) {
        size_t ahead = 1;
        if (!number(parser, &ahead, ret_least))
                return 0;
        *ret_most = *ret_least;
        if (parse_peek(parser, ahead) == ',') {
                ahead++;
                if (!number(parser, &ahead, ret_most))
                        *ret_most = REPEAT_ENDLESS;
        }
        return parse_peek(parser, ahead) == '}' ? ahead + 1 : 0;
}

// The quantifier at `at`: its size, or 0.
static size_t quantifier(struct parser *parser, uint32_t *ret_least, uint32_t *ret_most) {
        char c = parse_peek(parser, 0);
        *ret_least = c == '+';
        *ret_most = c == '?' ? 1 : REPEAT_ENDLESS;
        if (c == '{')
                return counted(parser, ret_least, ret_most);
        return c == '*' || c == '+' || c == '?';
}

static bool atom(struct parser *parser, struct node **ret_node) {
        struct node *node;
        uint32_t least, most;
        char c = parse_peek(parser, 0);
        if (c == '\\')
                return escape(parser, ret_node);
        if (c == '(')
                return group(parser, ret_node);
        if (quantifier(parser, &least, &most))
                return parse_wrong(parser, ERROR_INVALID, "nothing to repeat");
        node = *ret_node = new_node(parser, c == '^' ? NODE_START : c == '$' ? NODE_END : NODE_SET);
        if (c == '[') {
                parser->at++;
                return parse_class(parser, &node->set);
        }
        const char *at = parser->source.data + parser->at;
        unsigned length = utf8_sequence(at, parser->source.data + parser->source.size);
        if (c == '.') {
                node->set = set_dot;
        } else if (node->kind == NODE_SET) {
                struct set_builder builder = {0};
                uint32_t point = utf8_decode(at, length);
                set_add(&builder, parser->arena, point, point);
                node->set = set_finish(&builder);
        }
        parser->at += length;
        return true;
}

static bool term(struct parser *parser, struct node **ret_node) {
        uint32_t groups = parser->groups_before, least, most;
        struct node *node = NULL;
        if (!atom(parser, &node))
                return false;
        *ret_node = node;
        size_t size = quantifier(parser, &least, &most);
        if (!size)
                return true;
        if (node->kind == NODE_LOOK || node->kind == NODE_START || node->kind == NODE_END || node->kind == NODE_WORD)
                return parse_wrong(parser, ERROR_INVALID, "nothing to repeat");
        if (most < least)
                return parse_wrong(parser, ERROR_INVALID, "a repetition whose numbers are out of order");
        struct node *repeat = new_node(parser, NODE_REPEAT);
        repeat->least = MIN(least, (uint32_t)REPEAT_MAX);
        repeat->most = most > REPEAT_MAX ? REPEAT_ENDLESS : most;
        repeat->first_group = groups + 1;
        repeat->end_group = parser->groups_before + 1;
        repeat->child = node;
        parser->at += size;
        repeat->lazy = parse_peek(parser, 0) == '?';
        parser->at += repeat->lazy;
        *ret_node = repeat;
        return true;
}

static bool sequence(struct parser *parser, struct node **ret_node) {
        struct node *node = new_node(parser, NODE_SEQUENCE), **last = &node->child;
        while (parser->at < parser->source.size) {
                char c = parse_peek(parser, 0);
                if (c == '|' || (c == ')' && parser->depth))
                        break;
                if (c == ')')
                        return parse_wrong(parser, ERROR_INVALID, "a ) without its (");
                if (!term(parser, last))
                        return false;
                last = &(*last)->next;
        }
        if (!node->child)
                node->kind = NODE_EMPTY;
        else if (!node->child->next)
                node = node->child;
        *ret_node = node;
        return true;
}

static bool choice(struct parser *parser, struct node **ret_node) {
        struct node *node = new_node(parser, NODE_CHOICE), **last = &node->child;
        while (true) {
                if (!sequence(parser, last))
                        return false;
                last = &(*last)->next;
                if (parse_peek(parser, 0) != '|')
                        break;
                parser->at++;
        }
        *ret_node = node->child->next ? node : node->child;
        return true;
}

// How many groups capture: a back reference may stand before its group.
static uint32_t count_groups(struct bytes source) {
        uint32_t count = 0;
        bool in_class = false;
        for (size_t i = 0; i < source.size; i++) {
                char c = source.data[i], second = i + 1 < source.size ? source.data[i + 1] : '\0';
                char third = i + 2 < source.size ? source.data[i + 2] : '\0', fourth = i + 3 < source.size ? source.data[i + 3] : '\0';
                if (c == '\\')
                        i++;
                else if (c == '[')
                        in_class = true;
                else if (c == ']')
                        in_class = false;
                else if (c == '(' && !in_class)
                        count += second != '?' || (third == '<' && fourth != '=' && fourth != '!');
        }
        return count;
}

static bool resolve_names(struct parser *parser) {
        for (size_t i = 0; i < parser->reference_count; i++) {
                struct node *node = parser->references[i];
                for (uint32_t group = 1; group <= parser->groups_before; group++)
                        if (bytes_equal(parser->names[group], node->name))
                                node->group = group;
                if (!node->group) {
                        parser->at = node->at;
                        return parse_wrong(parser, ERROR_INVALID, "there is no group of this name");
                }
        }
        return true;
}

bool pattern_parse(struct bytes source, struct arena *arena, struct tree *ret_tree, struct error *error) {
        struct tree tree = {.group_count = count_groups(source)};
        struct parser parser = {.source = source, .arena = arena, .error = error, .tree = &tree};
        if (source.size > PATTERN_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "a pattern of %zu bytes; at most %d are accepted", source.size,
                                 PATTERN_BYTES_MAX);
        if (!utf8_valid(source))
                return error_set(error, ERROR_INVALID, "pattern: not UTF-8");
        parser.names = arena_alloc(arena, (PATTERN_GROUPS_MAX + 1) * sizeof *parser.names);
        if (!choice(&parser, &tree.root) || !resolve_names(&parser))
                return false;
        *ret_tree = tree;
        return true;
}
