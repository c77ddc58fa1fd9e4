{# Beginnings of sentences or lines that no longer belong to the document; regular expressions (RE2). #}

{# Control tokens and chat roles written as text by a source model. #}
{% macro marker_pattern() -%}
    {{ return([
        '<[|]?/?(?:endoftext|end_of_text|begin_of_text|eot|eot_id|eos|bos|s|pad|unk|mask|think)[|]?>',
        '<[|]?/?(?:im_start|im_end|start_of_turn|end_of_turn|start_header_id|end_header_id)[|]?>',
        '<[|](?:user|assistant|system|file_sep)[|]>',
        '<｜[^｜>]{1,40}｜>',
        '\\[/?INST\\]',
        '^#{2,} ?(?:Instruction|Response|Human|Assistant|User)\\b',
        '^(?:Human|Assistant|USER|ASSISTANT|System) ?:',
    ] | join('|')) }}
{%- endmacro %}

{# Text around articles on web pages. #}
{% macro boilerplate_pattern() -%}
    {{ return('(?i)^\\W*(?:' ~ [
        'copyright\\b|©|\\(c\\) ?(?:19|20)\\d\\d|all rights reserved|terms (?:of|and)|privacy policy',
        'cookie|disclaimer|advertise?ments?\\b|sponsored|affiliate',
        '(?:click|tap|press) (?:here|on|the link)|continue reading|view (?:all|more|full|comments)',
        'read (?:more|the full|the rest|next)|see (?:also|more)\\W*$|more (?:from|on this|stories|news)\\b',
        'related (?:articles?|posts?|stories|links|topics|content|news)|back to top|page \\d+ of \\d+',
        'you (?:may|might) also (?:like|be interested)|recommended (?:for you|reading|stories)',
        'most (?:read|popular|viewed)|(?:external|further) (?:links|reading)\\W*$|references\\W*$',
        'share (?:this|on|via|with)|tweet\\b|follow us|like us on|pin it|(?:print|e-?mail) this',
        'follow (?:@|the .{0,30}(?:on|at) (?:twitter|facebook))',
        '(?:facebook|twitter|instagram|linkedin|pinterest|whatsapp|reddit|e-?mail)\\W*$',
        'sign up|subscribe|unsubscribe|log ?in|sign in|register (?:now|here|to)|newsletter',
        'join our|get (?:our|the latest)|(?:enter )?your e-?mail|required fields',
        'leave a (?:reply|comment)|(?:post|add) a comment|reply\\W*$|no comments|\\d+ comments?\\b',
        'comments? (?:are closed|\\(\\d+\\)|\\d+$)',
        'this (?:post|article|page|entry|site|website) (?:was|is|has been|uses|contains) '
        ~ '(?:posted|filed|published|written|last|updated|tagged|archived|copyright|cookies)',
        'filed under|tags?:|tagged|categor(?:y|ies)\\W|posted (?:by|in|on|at)|last (?:updated|modified)',
        'published (?:by|on|in)\\W.{0,40}$|source:|via:|getty images|media (?:playback|caption)',
        'image (?:copyright|caption|source)|photo(?:graph)? ?(?:by|credit|:)',
        '(?:next|previous) (?:post|article|page)|contact us|about (?:us|the author)',
        'home\\W*(?:about|contact|news)|download (?:the|now|pdf|here)|watch (?:now|the video|more)',
    ] | join('|') ~ ')') }}
{%- endmacro %}

{# Exam questions, exercises and their answers. #}
{% macro question_pattern() -%}
    {{ return([
        '(?i)^\\W*(?:questions?|answers?|q|a|explanation|hint|correct answer|exercise|problem|solution'
        ~ '|quiz|choices?|options?) ?\\d*\\W*[:.)\\]]',
        '^\\(?[a-eA-E][.)] ',
        '(?i)which of the following|choose the (?:correct|best|right)|fill in the blank',
        '(?i)true or false|answer the (?:following )?questions?',
        '(?i)(?:write|explain|describe|discuss) .{0,80} in (?:your own words|\\d+ words|a paragraph)',
    ] | join('|')) }}
{%- endmacro %}
