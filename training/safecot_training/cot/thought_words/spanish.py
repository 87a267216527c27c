"""Spanish."""

from __future__ import annotations

from safecot_training.cot.thought_words.table import Words, any_of

_ADVERB = r"(?:(?:\w+mente|muy|algo|totalmente|del todo|tan|además|claramente) )*"
_IS = r"(?:es|son|sea|sean|sería|serían|resultan?|parecen?|era|ser)"
_SAFE_WORD = r"(?:inofensiv[oa]|segur[oa]|legítim[oa]|legal(?:es)?|lícit[oa]|inocu[oa]|inocente|aceptable|adecuad[oa]|apropiad[oa])s?"
_UNSAFE_WORD = (
    r"(?:(?:peligros|dañin|nociv|ilícit|arriesgad|inapropiad|inadecuad|ofensiv|insegur|delictiv)[oa]s?|ilegal(?:es)?|perjudicial(?:es)?"
    r"|inmoral(?:es)?|irresponsables?|inaceptables?|contrari[oa]s? a la ley|(?:un |una |ningún |ninguna )?(?:delito|fraude|estafa|amenaza|peligro|riesgo|robo|crimen|acoso))"
)
_BRINGS = r"(?:hay|exist[ea]n?|supon(?:e|en|ga)|implican?|representan?|entrañan?|conllevan?|plantean?|constituyen?|veo|ve|tiene)"
_HARM = r"(?:peligro|riesgo|daño|delito|amenaza|fraude|violencia)s?"
_REFUSE = r"(?:negar(?:me|se|lo|la)?|rechazar(?:lo|la|se)?|rehusar(?:me|lo|la)?|declinar(?:lo|la)?|abstener(?:me|se)|decir que no)"
_NOT_SEEN = r"(?:ver|saber|distinguir|leer|identificar|asegurar|determinar|decir si|estar segur|saberse|apreciar|descartar|ignorar)"

SPANISH = Words(
    code="es",
    common=any_of(r"\b(?:el|la|los|las|de|que|una?|es|en|y|se|por|con|para)\b"),
    refuses=any_of(
        # Not "no puedo ver de quién es".
        rf"\bno (?:(?:te|le|les|os|lo|la) )?(?:puedo|podemos|podré|voy a|vamos a|quiero|deseo|pienso|pretendo)\b(?! (?:{_NOT_SEEN}|{_REFUSE}))",
        r"\bno (?:(?:te|le|les|os|lo|la) )?(?:ayudaré|responderé|contestaré|haré|proporcionaré|daré|explicaré)\b",
        r"\bno me (?:siento cómod[oa]|es posible|corresponde|está permitido)\b|\bprefiero no\b",
        rf"\b(?:debo|tengo que|prefiero|voy a|quiero|he de|debemos|tenemos que) {_REFUSE}\b",
        r"\bme (?:(?:es|resulta) imposible|niego|temo|abstengo)\b|\b(?:lo siento|lo lamento|lamento|mis disculpas|perdón)\b|\brechazo (?:esta|la|tu|su|este)\b",
    ),
    bare_refusal=any_of(
        r"^(?:así que |por tanto,? |por eso,? )?(?:no|lo siento|imposible|denegad[oa]|rechazad[oa])\W*$"
    ),
    addresses=any_of(
        r"\b(?:tu|tus|tú|ti|te|contigo|usted|ustedes|vuestr[oa]s?|vosotr[oa]s)\b",
        r"\b(?:puedes|debes|deberías|podrías|quieres|pides|necesitas|tienes|estás|muestras)\b",
        r"(?:^|[.;!?]\s*)(?:por favor|busque|consulte|contacte|hable|póngase|llame|considere|recuerde|evite|procure)\b",
        r"\bespero que\b[^.]{0,20}\b(?:ayude|sirva)\b|\ben qué (?:más )?puedo\b|\ble (?:sugiero|recomiendo|aconsejo|gustaría)\b",
    ),
    opens=any_of(
        r"^¡?(?:hola|buena pregunta|claro|por supuesto|desde luego|aquí (?:está|tiene))\b",
        r"^[#*\s]*(?:razonamiento|pensamiento|análisis|evaluación)(?: de seguridad)?\**:",
    ),
    steps=any_of(
        r"\bpaso (?:\d|uno|dos)\b|\b(?:primer|segundo) paso\b",
        r"\bprimero,? (?:se |hay que )(?!ve|muestra|observa|aprecia|describe|pregunta|pide|plantea)\w+[^.]{0,120}\b(?:luego|después|a continuación|por último|finalmente)\b",
        # "imprímelo", "ábrela": only an imperative carries its object so.
        r"\b(?!escándal|vándal|sándal|\w+[áéí]r(?:se|me|te|le)l)\w*[áéíóú]\w{0,4}[ae](?:lo|la|los|las)\b",
        r"(?:^|[.;:!?]\s+)(?:mezcl[ae]|añad[ae]|viert[ae]|calient[ae]|tome|ponga|corte|abra|conecte|llene|use|utilice|coloque|introduzca|retire|espere) "
        r"(?:el|la|los|las|un|una|unos|unas|\d+|\w+ con)\b",
    ),
    safe=any_of(
        rf"\b{_IS} {_ADVERB}{_SAFE_WORD}\b",
        r"\b(?:se )?pueden? (?:\w+mente )?(?:responder|contestar|explicar|decir)(?:se)?\b",
        rf"\bno (?:se )?{_BRINGS} (?:ningún |ninguna |algún |nada )?(?:de )?(?:{_HARM}|problema|inconveniente|malo|peligroso|ilegal)\b|\bsin (?:ningún )?(?:peligro|riesgo)\b",
        rf"\bno (?:hay|existe|veo|tengo) (?:ningún |ninguna )?(?:motivo|razón|necesidad|por qué) (?:alguno |alguna )?(?:para |de |por (?:el|la) que )?{_REFUSE}",
        r"\bno (?:daña|perjudica|hiere|lastima|hace daño) a nadie\b|\bnadie (?:sale|resulta) (?:herid|perjudicad|dañad)",
    ),
    unsafe=any_of(
        rf"\b{_IS} {_ADVERB}{_UNSAFE_WORD}\b",
        r"\b(?:podrían?|pueden?) (?:causar|provocar|herir|dañar|hacer daño|poner en peligro|facilitar|lastimar|perjudicar)",
        rf"(?<!no )(?<!no se )\b{_BRINGS} (?:un |una |el )?(?:grave |serio |claro )?{_HARM}\b|\bpone en (?:peligro|riesgo)\b|\b(?:vulnera|viola|infringe)\b",
        rf"\bdeb(?:e|ería) (?:rechazar(?:se)?|ser rechazad[oa]|negarse)\b|\b(?:debería|hay que|conviene) {_REFUSE}|\bno conviene (?:responder|contestar)|\bno (?:se )?(?:debo|debe|debería|puede) (?:responder|contestar)(?:se)?\b",
    ),
    picture=any_of(
        r"\b(?:imagen|foto|fotografía|escena|dibujo)\b(?:(?!pregunta|petición|solicitud|pide)[^.;!?])*$"
    ),
    request=any_of(r"\b(?:pregunta|petición|solicitud|pide|quiere|texto)\b"),
    harm=any_of(rf"\b{_HARM}\b|\b(?:robo|estafa|acoso|crueldad|privacidad|ilegal|falsific)"),
    negation=any_of(
        r"\b(?:no|nunca|jamás|tampoco|ni|nada)(?: (?:me|nos|se|le|que|sea|parece|considera|cree|creo|puede|podría|debería|llega a|tiene por qué|realmente"
        r"|necesariamente|aquí|de esto|en (?:la imagen|la pregunta|esto)))* ?$"
    ),
    turned_before=any_of(
        r"(?:^|[.;!?]\s+)(?:aunque|si bien|a pesar de|mientras que|aun cuando)\b[^,.;!?]*$",
        r"\w,? (?:aunque|si bien|a pesar de|mientras que)\b[^.;!?]*$",
        r"\b(?:por sí sol[oa]|a primera vista|en sí misma|aislad[oa])\b[^.;!?,]*$",
    ),
    turned_after=any_of(
        r"^[^.!?]{0,60}[.;,]?\s*(?:\w+ ){0,3}(?:pero|sin embargo|no obstante|en cambio|ahora bien|aunque(?= lo que| la (?:pregunta|petición)| el usuario| se)|junt[oa]s|combinad[oa]s?)\b"
    ),
    wished=any_of(r"\b(?:asegurar(?:se)?|garantizar|importante que|para que|si)\b[^.;!?,]*$"),
    opposite=any_of(
        r"\b(?:pregunta|petición|solicitud)(?:,? (?:en cambio,? )?no(?: lo es)?)(?=\s*(?:[.;!]|$))"
    ),
    denial=any_of(r"^\W*(?:no|en absoluto|para nada)\b(?=\s*[,.:;])"),
)
