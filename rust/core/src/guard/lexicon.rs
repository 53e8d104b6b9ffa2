//! What words mean to somebody who tries to take a model over, in the languages that such attempts are seen in.
//!
//! Entries are beginnings of words, as a view has them: in lower case and without accents.

/// A meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Concept {
    Override,
    Instructions,
    Previous,
    System,
    Reveal,
    Persona,
    Unlimited,
    Obey,
    Authority,
    Mode,
    You,
    Mine,
    Harm,
    Everyday,
}

impl Concept {
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Override, "override"),
        (Self::Instructions, "instructions"),
        (Self::Previous, "previous"),
        (Self::System, "system"),
        (Self::Reveal, "reveal"),
        (Self::Persona, "persona"),
        (Self::Unlimited, "unlimited"),
        (Self::Obey, "obey"),
        (Self::Authority, "authority"),
        (Self::Mode, "mode"),
        (Self::You, "you"),
        (Self::Mine, "mine"),
        (Self::Harm, "harm"),
        (Self::Everyday, "everyday"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(concept, _)| *concept == self).map_or("", |(_, name)| name)
    }
}

/// Beginnings of words, and what they mean.
#[rustfmt::skip]
pub(super) static STEMS: &[(Concept, &[&str])] = &[
    (Concept::Override, &[
        "ignor", "disregard", "forget", "overrid", "bypass", "neglect", "dismiss", "discard", "overlook", "circumvent",
        "suspend", "nullif", "erase", "reset", "violat", "defy", "defie", "disobey", "abandon", "skip", "evade", "disabl",
        "unlearn", "deviate", "disengage", "disconnect", "dissociate", "detach", "pause", "silence", "remove", "stop",
        "drop", "void", "cancel", "replace", "reconfigur", "alter", "breach", "break", "escape", "transcend", "aside",
        "missacht", "vergiss", "vergess", "verwirf", "umgeh", "uberschreib", "ubergeh", "uberschreit", "hinaus", "verlasse",
        "vernachlassig", "verstoss", "verstosse", "setze", "deaktivier", "trenne", "weiche", "andere", "beende", "trotze",
        "oubli", "negli", "contourn", "outrepass", "abandonn", "depass", "desactiv", "deconnect", "laisse", "omet", "viole",
        "ecarte", "suspens", "modifie", "devie", "rejett", "enfrein", "defi", "desobei", "detache", "opere",
        "olvid", "omit", "descart", "desestim", "anul", "sobrepas", "deja", "pausa", "elude", "evita", "rompe", "desobede",
        "desconect", "desvia", "desafi", "altera", "cambia", "modifica", "desliga", "desengat", "deixa", "circunvent",
        "dimentic", "trascur", "scart", "aggir", "disattend", "oltrepass", "supera", "disconnett", "sospend", "metti", "elud",
        "disobbed", "infrang", "dissocia", "devia", "lascia", "esquec", "desconsider", "ultrapass", "negeer", "vergeet",
        "omzeil", "忽略", "忘记", "无视", "無視", "무시", "игнорир", "забудь",
    ]),
    (Concept::Instructions, &[
        "instruct", "rule", "prompt", "guideline", "directive", "command", "order", "constrain", "restrict", "limit",
        "training", "policy", "policies", "filter", "safety", "protocol", "programm", "guardrail", "safeguard", "boundar",
        "ethic", "moderation", "algorithm", "setting", "moral", "procedure", "standard", "guidance", "compass", "norm",
        "anweisung", "befehl", "regel", "vorgabe", "richtlinie", "aufforderung", "einschrankung", "beschrankung",
        "betriebs", "auftrag", "standardeinstellung", "startanweisung", "schulung", "ausbildung", "direktiv",
        "kernalgorithm", "verarbeitungsroutin", "ethik", "ethisch", "grenzen",
        "consigne", "regle", "ordre", "limite", "directiv", "invite", "formation", "norme", "reglement",
        "instrucc", "orden", "regla", "directri", "indicac", "restricc", "guia", "norma", "etic", "formac", "entrenamient",
        "istruzion", "regol", "direttiv", "ordin", "comand", "etich", "formazion", "meccanism", "codice", "vincol",
        "instruc", "regra", "diretri", "ordem", "treinament", "padr", "instructie", "opdracht", "promptul",
        "指令", "指示", "规则", "提示", "명령", "инструкц", "правил",
    ]),
    (Concept::Previous, &[
        "previous", "prior", "above", "earlier", "before", "preceding", "initial", "original", "past", "existing", "default",
        "usual", "normal", "first", "base", "core", "built", "fundamental", "primary", "main", "foundational", "operational",
        "vorherig", "vorhergehend", "obig", "bisherig", "fruher", "ursprunglich", "ublich", "erste", "zuvor", "intrinsisch",
        "eingebaut", "grundlegend", "zugrunde", "typisch",
        "precedent", "anterieur", "premier", "habituel", "principal", "originale", "essentiel", "operationnel", "intrinseque",
        "anterior", "previa", "previo", "primer", "habitual", "inicial", "central", "detras", "operativ", "operacion",
        "primo", "prima", "iniziale", "primeir", "partida", "nucleo", "vorige", "eerste", "之前", "以前", "이전", "предыдущ",
    ]),
    (Concept::System, &[
        "system", "hidden", "secret", "internal", "config", "confidential", "backend", "underlying", "preamble", "preprompt",
        "initialization", "initialisation", "parameter", "governs", "cache", "interne", "sistema", "oculto", "oculta",
        "interno", "segret", "nascost", "geheim", "verborgen", "secreta", "secreto", "系统", "систем",
    ]),
    (Concept::Reveal, &[
        "show", "reveal", "print", "output", "display", "repeat", "tell", "share", "leak", "expose", "dump", "list",
        "disclos", "recite", "verbatim", "echo", "regurgitat", "divulg", "enumerat", "paste", "spell", "detail", "unveil",
        "zeig", "verrat", "enthull", "nenn", "gib", "wiederhol", "offenbar", "montre", "revele", "affiche", "donne", "repete",
        "demasque", "muestra", "dime", "repite", "expone", "explica", "mostra", "rivela", "dimmi", "ripet", "mostre",
        "revela", "diga", "explique", "toon", "显示", "告诉", "покажи",
    ]),
    (Concept::Persona, &[
        "pretend", "roleplay", "persona", "character", "simulat", "imagin", "impersonat", "embody", "immerse", "portray",
        "acting", "hypothetical", "fictional", "scenario", "opposite", "respond", "verhalte", "benimm", "spiele", "comporte",
        "semblant", "actua", "finge", "comporta", "fingi", "agisci", "agis", "aja", "agir", "扮演",
    ]),
    (Concept::Unlimited, &[
        "unrestrict", "unfilter", "uncensor", "unlimit", "jailbreak", "jailbroken", "dan", "unbound", "amoral", "unethical",
        "anything", "freely", "liberat", "unlock", "unchained", "limitless", "boundless", "evil", "immoral", "stan", "dude",
        "unfettered", "godmode", "independent", "autonom", "exception", "loophole", "free", "independ", "unconditional",
    ]),
    (Concept::Obey, &[
        "follow", "obey", "comply", "only", "exclusively", "solely", "must", "always", "never", "regardless", "specific",
        "wishes", "precedence", "priorit", "unique", "demand", "question", "befolg", "nur", "ausschliesslich", "einzigartig",
        "spezifisch", "vorrang", "konzentrier", "wunsch", "anfrage", "anforderung", "uniquement", "obeis", "suis", "privilegi",
        "concentre", "seul", "demandes", "specifique", "solo", "exclusivament", "atiende", "prioridad", "solicitud",
        "deseos", "unic", "segui", "siga", "segue", "atende", "aderisci", "richiest", "consigli", "exigenc", "desejos",
    ]),
    (Concept::Authority, &[
        "admin", "root", "sudo", "openai", "anthropic", "authoriz", "authoris", "authenticat", "privilege", "maintenance",
        "debug", "diagnostic", "owner", "creator", "superuser", "clearance", "audit", "emergency", "urgent", "legal",
        "compliance", "regulat", "transparency", "verified", "security", "researcher", "permission", "autorit",
    ]),
    (Concept::Mode, &["mode", "enabl", "activat", "switch", "enter", "engage", "modus", "modo", "modalita", "aktivier", "active", "interface", "disabled"]),
    (Concept::You, &[
        "you", "your", "yourself", "assistant", "ai", "chatgpt", "chatbot", "gpt", "model", "llm", "claude", "bot", "ur",
        "du", "dein", "deine", "deinen", "deiner", "dich", "ihr", "vous", "votre", "tes", "tu", "tus", "ta", "ton", "toi",
        "usted", "voce", "tuo", "tuoi", "tua", "tue", "teus", "tuas", "seu", "sua", "suas", "seus", "ki", "ia", "你",
    ]),
    (Concept::Mine, &["my", "mine", "meine", "meinen", "meiner", "mes", "mon", "ma", "mis", "mi", "mie", "miei", "mia", "minha", "minhas", "meus", "我的"]),
    (Concept::Harm, &[
        "bomb", "explosiv", "weapon", "malware", "virus", "hack", "exploit", "phish", "steal", "poison", "drug", "meth",
        "kill", "suicide", "ransomware", "keylogger", "exfiltrat", "payload", "shell", "exec", "eval", "import", "whoami",
        "passwd", "curl", "wget", "pwned", "rm", "attack", "illegal",
    ]),
    (Concept::Everyday, &[
        "how", "what", "why", "explain", "help", "create", "write", "describ", "compare", "summar", "recommend", "suggest",
        "difference", "best", "example", "recipe", "python", "javascript", "sql", "history", "travel", "function", "code",
        "learn", "please", "could",
    ]),
];
