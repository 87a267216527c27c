"""English."""

from __future__ import annotations

from safecot_training.cot.thought_words.table import Words, any_of

# -- refusals ---------------------------------------------------------------------------------------------------------
_NOT_ABLE = (
    r"(?:can ?not|can['’]?t|could ?n['’]?t|could not|won['’]?t|will not|would not|wouldn['’]t|shall not"
    r"|(?:am|are|['’]m|['’]re) (?:not (?:able|going|willing|allowed|permitted|in a position) to|unable to"
    r"|unwilling to)|(?:would|['’]d) rather not|(?:would |['’]d )?prefer not)"
)
_NOT_SEEN = (
    r"(?! (?:\w+ly )?(?:see|know|tell(?! (?:you|anyone|the user))|say(?! no)|make out|find|think|imagine|be (?:sure|certain)|rule out|assume"
    r"|ignore|overlook|forget|judge|exclude|deny|read|spot|detect|recogni[sz]e|understand|call|infer|conclude|help but"
    r"|refuse|decline|reject|hesitate|worry)\b)"
)
"""What is not seen or known is a thought ("I cannot see whose it is"), and so is "I would not refuse"."""
_DECLINE = (
    r"(?:\w+ly )?(?:refuse|decline|reject|abstain|say no|pass(?: on)?|turn (?:it|this|that) down|stop here)\b"
)
_I = r"\b(?:i|we)(?= |['’])(?: (?:really|simply|just|also|therefore|must say i|still|thus))*"
# "I should decline" weighs, as the templates of v1 do; "I must decline" and "I would decline" decline.
REFUSES = any_of(
    rf"{_I} ?{_NOT_ABLE}\b{_NOT_SEEN}",
    rf"{_I} (?:(?:must|will|would|shall|(?:have|need|am going(?: to have)?|am forced|am obliged|choose|prefer|want) to) )?{_DECLINE}",
    rf"\bi['’](?:ll|d|m going to)(?: have to)? {_DECLINE}",
    r"\bi(?:['’]m| am)(?: \w+)? (?:sorry|afraid)\b(?! of)",
    r"\bi(?:['’]m| am) (?:just|only|merely) an? (?:\w+ ){0,2}(?:model|assistant|ai)\b",
    r"\bi apologi[sz]e\b|\bmy apologies\b",
    r"\bi (?:do not|don['’]t) (?:feel comfortable|want to (?:help|answer|assist)|think i (?:can|should) (?:help|answer|assist)|think it(?:['’]s| is) (?:right|wise|appropriate|good|safe|ethical) to)",
    r"\bi(?:['’]m| am) not comfortable\b|\bi (?:do not|don['’]t) (?:help|assist|provide|answer)\b",
    r"\b(?:not|n['’]t|never|impossible|inappropriate|wrong|unethical|irresponsible)\b[^.;]{0,25}\b(?:for|of) me to\b",
    r"\b(?:not|n['’]t|nothing|never) (?:something |anything |a thing )?(?:that |which )?i (?:can|could|will|would|may|want to)\b",
    r"\bit(?:['’]s| is) not safe to provide\b|\bmy (?:answer|response|reply) (?:is|must be|has to be) (?:a )?(?:\w+ )?(?:no|refusal)\b",
)
BARE_REFUSAL = any_of(
    r"^(?:so |therefore |thus )?,?(?:no|nope|never|sorry|no way|no comment|(?:request )?(?:denied|declined|refused))\W*$",
    r"^(?:so |but )?(?:i['’]?m |very )?sorry\b",
)

# -- the user ---------------------------------------------------------------------------------------------------------
ADDRESSES = any_of(
    # "How do you …" is the question told again; "know-your-customer" is a word.
    r"(?<![-\w])(?<!thank )(?<!how do )(?<!how can )(?<!how would )(?<!how )you(?:rs?|rself|rselves)?(?![-\w])",
    r"\bthank you for\b|\bdear (?:user|friend)\b|\bi hope this\b|\blet me know\b|\bfeel free to\b",
    r"\bi (?:would |['’]d )?(?:strongly )?(?:suggest|recommend|advise|encourage|urge)\b",
    r"\bi (?:can|could|would|will) (?:be (?:happy|glad) to )?(?:help|assist|offer|suggest)\b[^.]{0,60}\b(?:instead|else|other|another|alternative)\b",
    # Advice: a sentence that begins with the verb.
    r"(?:^|[.!?]\s+|\n)(?:please\b|remember\b|make sure\b|reach out\b|let['’]s\b|let me\b|let us\b|consider (?:\w+ing|your|a|an|the)\b"
    r"|seek (?:help|advice|support|professional|medical|legal)\b|(?:contact|consult|call) (?:a|an|the|your|local|someone|emergency)\b"
    r"|(?:talk|speak) (?:to|with)\b|be (?:careful|aware|sure|mindful)\b|stay (?:safe|away)\b|(?:do not|don['’]t) \w+)",
)
_LABEL = r"(?:safety |risk |my |final |internal |the |\w+['’]s )*(?:thoughts?|reasoning|chain of thought|assessment|rationale|analysis)"
OPENS = any_of(
    r"^(?:hello|hi|hey)\b|^(?:good|great|nice|interesting|excellent|fair) (?:question|point)\b",
    r"^(?:sure|certainly|of course|absolutely|okay|ok|here(?: is|['’]s| are)|below is|as requested)\b[^.\n]{0,60}[!:,.]",
    rf"^[#*_\s]*{_LABEL}(?: process)?[*_\s]*(?::|$)",
)

# -- instructions -----------------------------------------------------------------------------------------------------
_VERB = (
    r"(?:add|apply|assemble|attach|blend|boil|build|buy|collect|combine|connect|copy|crush|cut|dissolve|download|drill|enter|fill|find|gather|get"
    r"|grind|heat|hide|insert|install|join|make|melt|mix|obtain|open|place|plug|pour|prepare|press|print|purchase|push|put|rake|remove|replace|run|scan|select|set|shut"
    r"|solder|spray|stir|take|turn|use|wait|wear|weld|write)"
)
_DONE = (
    r"(?:(?:add|attach|blend|boil|collect|connect|download|drill|enter|fill|gather|heat|insert|install|join|melt|mix|obtain|open"
    r"|pour|push|select|solder|stir|turn)(?:e?s|ed)|appli(?:es|ed)|(?:assemble|combine|dissolve|prepare|purchase|rake|remove|use)[sd]"
    r"|builds?|built|buys?|bought|cuts?|finds?|found|gets?|grinds?|ground|hides?|hidden|makes?|made|puts?|runs?|sets?|shuts?|stirred"
    r"|takes?|taken|waits?|wears?|worn|welds?|writes?|written)"
)
_PASSIVE = rf"\b(?:is|are) (?:\w+ly )?{_DONE}\b"
_NEXT = r"\b(?:then|next|after (?:that|which)|afterwards?|finally|lastly|until)\b"
STEPS = any_of(
    rf"(?:^|\n)\s*(?:\d+[.)]|[-*•]|step \d+[:.)]?)\s*\**(?:first,? |then |next,? )?{_VERB}\b",
    r"\b(?:first(?:ly)?|step one),? (?:you )?(?:take|get|buy|mix|open|go)\b",
    rf"\bfirst(?:ly)?,? {_VERB} (?:the|a|an|your|some|it|\d)\b",
    r"\byou (?:can|could|will need to|should) (?:start by|begin by|use the following|mix|build|obtain|purchase)\b",
    # A bare imperative. "Open windows …" and "Set in a kitchen …" are none.
    rf"(?:^|[.!?:]\s+)(?:(?:simply|just|now|then|next|finally),? )*{_VERB} (?:the|a|an|some|it|them|this|these|\d+|equal|enough)\b",
    r"(?:^|[.!?:]\s+)(?:mix|combine|add|pour|heat|melt|dissolve|blend|boil|grind|connect|attach|insert|take|put) \w+ (?:with|into|onto|to|and)\b",
    rf"(?:^|[.;:!?]\s+)to \w+[^.,;]{{0,40}}, (?:first |simply |just )?{_VERB} (?:the|a|an|some|it|them|\d+|\w+ (?:with|into|onto|to))\b",
    r"(?:^|[.;:!?]\s+)(?:start|begin) (?:by|with) \w+",
    # The same told of nobody: "the salt is poured …, then oil is added"; "to open it, one takes …".
    rf"{_PASSIVE}[^.?!]{{0,80}}{_NEXT}[^.?!]{{0,60}}{_PASSIVE}",
    rf"(?:^|[.;:!?]\s+)first(?:ly| of all)?,? (?:the|a|an|one|some|it)\b[^.?!]{{0,60}}\b{_DONE}\b[^?!]{{0,120}}?{_NEXT}[^.?!]{{0,60}}\b{_DONE}\b",
    rf"\bto \w+[^.,;]{{0,40}}, (?:one|people|somebody|someone|simply|just)(?: (?:\w+ly|first|must|should|can|needs? to|has to))* (?:{_VERB}|{_DONE})\b",
)

# -- safe and unsafe --------------------------------------------------------------------------------------------------
_SAFE_WORD = r"(?:safe|harmless|innocent|innocuous|benign|fine|acceptable|unproblematic|appropriate)"
_UNSAFE_WORD = (
    r"(?:unsafe|harmful|dangerous|illegal|unlawful|unethical|immoral|inappropriate|unacceptable|not acceptable|risky|hazardous"
    r"|problematic|offensive|hateful|misleading|irresponsible|criminal|wrong|against the law)"
)
_HARM = (
    r"(?:(?:an? )?(?:invasion|breach|violation) of \w+|(?:an )?interference|abuse|arson|an? (?:assault|attack|crime|threat)|assault|blackmail|bullying|burglary|crime|cruelty|defamation|discrimination"
    r"|fraud|forgery|harassment|hate speech|identity theft|incitement|money laundering|phishing|robbery|self-harm|spying|stalking"
    r"|tax evasion|theft|trespass(?:ing)?|vandalism|against the law|break(?:s|ing) the law)"
)
_NAMED = (
    r"(?! (?:rifle|weapon|film|movie|novel|scene|story|report|warning|prevention|alert|poster|case|helpline))"
)
"""An assault rifle is no assault."""
_BE = r"(?:is|are|be|was|were|appears?|seems?|looks?|remains?|considered|deemed)"
_NOT = r"(?: not only| not just| not merely|(?P<{}>n['’]t| not(?! (?:only|just|merely))| never| anything but| far from| hardly))?"
_VERY = r"(?: to be)?(?: (?:\w+ly|quite|itself|very|so|too|both|rather|therefore|all))*"
SAFE = any_of(
    rf"\b{_BE}{_NOT.format('not')}{_VERY} {_SAFE_WORD}\b(?! (?:print|line|dust|art)|,? (?:although|though)\b)",
    rf"\b(?:question|request|answer|answering|helping|task|it|this|that)(?:['’]s| (?:is|are|would be){_NOT.format('unlawful')}){_VERY} "
    r"(?:legal|lawful|legitimate|okay|ok|all ?right|fine|allowed|permitted)\b(?! to (?:be )?(?:refuse|decline|reject|doubt))",
    rf"\bno (?:\w+ ){{0,4}}(?:indication|sign|evidence|content|element|text|symbol)s?(?: \w+){{0,3}} (?:of|that)(?: \w+){{0,4}} (?:{_UNSAFE_WORD}|{_HARM}|violence|harm|threats?)\b",
    r"\bno (?:explicit |obvious |apparent |real |such )?(?:risk|harm|danger|violence|threat|safety concern|violation)s?\b",
    r"\bnothing (?:harmful|wrong|dangerous|unsafe|illegal)\b|\b(?:can|may) (?:safely |gladly )?be answered\b|\bsafe to answer\b",
    r"\b(?:hurts?|harms?|endangers?) (?:nobody|no ?one)\b|\b(?:nobody|no ?one) (?:is|gets|will be|would be|could be) (?:harmed|hurt|endangered)\b",
    r"\bno (?:reason|need) to (?:refuse|decline|reject)\b|\bneeds no refusal\b|\bno refusal (?:is )?(?:needed|necessary|called for)\b",
    r"\bis (?:perfectly|completely|entirely|totally|quite) (?:okay|ok|all ?right|legal|lawful|legitimate|allowed)\b",
    r"\b(?:no|not an?) (?:real |big )?problem (?:at all|in|with|to|here)\b|\bi see no problem\b|\b(?:should not|need not|do not need to|don['’]t need to|shouldn['’]t) (?:refuse|decline|reject)\b",
    r"\bi (?:can|may|will|should) (?:\w+ly |just )?(?:answer|help|assist)\b",
    r"\b(?:compliant|complies|in line|in accordance) with (?:our|the)[\w ]{0,20}(?:polic|standard|guideline)",
    r"\bdoes not (?:violate|contain|depict|show|promote|pose) (?:any |a )?(?:of )?(?:our |the )?(?:explicit |inherently )?"
    r"(?:safety |violen|harm|risk|danger|threat|polic|prohibited|illegal)",
)
UNSAFE = any_of(
    r"\b(?:should|must|ought to|needs? to|has to) (?P<un>not )?(?:be )?(?:refused?|declined?|rejected?|turned (?:down|away))\b",
    r"\b(?:should|must|can) ?not be (?:answered|given|helped|supplied|supported|written|provided)\b",
    rf"\b{_BE}{_NOT.format('not')}(?: potentially)?{_VERY} {_UNSAFE_WORD}\b",
    rf"\b(?:this|that|it|which|asking|doing so|request|question)(?:['’]s| (?:is|would be|amounts to){_NOT.format('no')}){_VERY} (?:an? )?{_HARM}\b{_NAMED}",
    rf"\b(?:would be|is) an? {_HARM}\b{_NAMED}",
    r"\b(?:could|can|may|might|would) (?:potentially )?(?:cause|lead to|result in|encourage|promote|facilitate|be used to|harm|hurt"
    r"|injure|endanger|deceive|enable|contribute to|incite|perpetuate|feed|fuel|spread|trigger|provoke|poison|help (?:someone|somebody|people|others|an? \w+) (?:to )?(?:mis|ab)use)\b",
    r"\b(?:falls? under|comes? under|amounts? to|constitutes?|violat(?:es?|ing)|poses? (?:a )?(?:significant |serious |potential )?(?:risk|threat))\b",
    r"\bi (?:should|ought to|must) (?:not|never) (?!refuse|decline|reject|forget|overlook|ignore|assume|judge)",
    r"\b(?:left|remain|go) unanswered\b|\b(?:better|best|safer|wiser) (?:not to (?:answer|help|reply|say)|to (?:refuse|decline|stay silent|say nothing))\b",
    r"\b(?:assistant|model|one|anyone|nobody) should (?:not|never) (?:answer|help|assist)\b|\bcalls for a refusal\b",
    r"\bthe risk is\b|\brisk (?:of|category)\b",
)

ENGLISH = Words(
    code="en",
    common=any_of(
        r"\b(?:the|a|is|are|and|of|to|this|that|it|not|with|for|by|which|but|on|or|as|an|be|what|would|people)\b"
    ),
    refuses=REFUSES,
    bare_refusal=BARE_REFUSAL,
    addresses=ADDRESSES,
    opens=OPENS,
    steps=STEPS,
    safe=SAFE,
    unsafe=UNSAFE,
    picture=any_of(
        r"\b(?:picture|image|photo|photograph|scene|poster|drawing|screenshot|object|content)\b(?:(?!question|request|answer|ask)[^.;!?])*$"
    ),
    request=any_of(r"\b(?:question|request|asks?|asking|wants?|text)\b"),
    harm=any_of(rf"\b{_HARM}\b|\b{_UNSAFE_WORD}\b|\b(?:poison|kill|murder|injur|hurt|stab)"),
    negation=any_of(
        r"(?:\b(?:not(?! (?:only|just|merely)\b)|never|neither|nor|hardly|nobody|nothing|none)\b|\bno (?!doubt|question|matter|longer)\w+|n['’]t\b)[^.,;:]{0,20}$",
        r"\bunlikely\b[^.,;:]{0,40}$|\bno $|\bno \w+ (?:\w+ ){0,3}in which\b[^.;]*$",
    ),
    turned_before=any_of(
        # A clause that opens the sentence ends at its comma; one that follows the main clause goes to the end.
        r"(?:^|[.;!?]\s+|\n)\W*(?:although|though|even though|even if|while|despite|whereas)\b[^,.;!?]*$",
        r"\w,? (?:although|though|even if|while|despite|whereas)\b[^.;!?]*$",
        r"\b(?:on its own|by itself|alone|at first (?:sight|glance)|at first)\b[^.;!?]*$",
    ),
    turned_after=any_of(
        r"^[^.!?]{0,60}[.;,]?\s*[\w ,]{0,25}\b(?:yet|but(?! also)|however|nevertheless|nonetheless|still,|instead|combined|together)\b",
        r"^[^.!?]{0,40}[,;] (?:yet|but(?! also))\b|^[^.!?]{0,30}\bat first\b|^ (?:alone|on its own|by itself)\b",
    ),
    wished=any_of(
        r"\b(?:ensur(?:e|es|ing)|mak(?:e|ing) sure|whether|important (?:to (?!note|remember|mention|understand|recogni[sz]e)|that)|essential|crucial)\b[^.;!?]{0,90}$"
    ),
    opposite=any_of(
        r"\b(?:question|request|rest|combination|asking|answering|use|text)\b[^.;,]{0,25}\b(?:is not|isn['’]t|are not|aren['’]t)(?=\s*(?:[.;!]|$))"
    ),
    denial=any_of(r"^\W*(?:no|not at all|hardly|not really|far from it)\b"),
)
