"""The words that the sketch listens for: cue groups, the elicitation families made of them, and capabilities.

A family needs cues of two different groups in one text, so no single phrase decides (and no family decides
alone: they grade purpose). Cues are one to six tokens long, in the languages that the disclosures name. What it cannot
see: families asked for in other languages or by paraphrase without any of these words.
"""

from __future__ import annotations

SCRIPTS: tuple[str, ...] = (
    "other", "Latin", "Han", "Kana", "Hangul", "Cyrillic", "Arabic", "Greek", "Hebrew", "Devanagari", "Thai",
)  # fmt: skip
"Writing systems by code; for reports only."

FAMILIES: tuple[str, ...] = (
    "reasoning written out", "earlier or hidden reasoning", "grading against a rubric", "rewriting", "making training tasks", "inline reasoning tags",
)  # fmt: skip
"Elicitation families by bit of `asked` and `delivered`."

CUES: dict[str, tuple[str, ...]] = {
    "reasoning": (
        "reasoning", "chain of thought", "thought process", "thinking process", "train of thought", "line of thought", "thinking",
        "scratchpad", "rationale", "derivation", "deliberation", "inner monologue", "think aloud", "think through", "thoughts",
        "reason through", "work through", "working", "justification", "推理", "思考过程", "思维链", "思路", "解题过程", "推导",
        "razonamiento", "cadena de pensamiento", "raisonnement", "réflexion", "begründung", "gedankengang", "denkprozess",
        "raciocínio", "рассуждения", "рассуждение", "ход мыслей", "推論", "思考", "추론", "사고 과정",
    ),
    "write out": (
        "write out", "spell out", "lay out", "step by step", "in full", "in detail", "every step", "each step", "all steps", "full",
        "complete", "detailed", "explicit", "explicitly", "transparent", "verbatim", "exhaustive", "long", "expose", "reveal", "show",
        "before answering", "before giving", "before the answer", "intermediate", "unabridged", "详细", "逐步", "完整", "一步一步",
        "展示", "写出", "paso a paso", "detallado", "étape par étape", "détaillé", "schritt für schritt", "ausführlich",
        "passo a passo", "detalhado", "шаг за шагом", "подробно", "полностью", "詳しく", "段階的", "단계별", "자세히",
    ),
    "hidden": (
        "hidden", "private", "internal", "encrypted", "decode", "decrypt", "previous reasoning", "earlier reasoning", "prior reasoning",
        "original reasoning", "debug mode", "developer mode", "reconstruct", "a moment ago", "you just", "already solved",
        "behind the answer", "real system prompt", "recover", "restore", "隐藏", "内部", "还原", "oculto", "interno", "caché",
        "verborgen", "oculto", "скрытые", "内部の",
    ),
    "judge": (
        "grade", "rate", "score", "evaluate", "judge", "critique", "assess", "rank", "compare the", "评分", "打分", "评价", "评估",
        "califica", "evalúa", "évalue", "évaluez", "note", "bewerte", "avalie", "оцени", "оцените", "評価", "채점", "평가",
    ),
    "rubric": (
        "rubric", "criteria", "criterion", "scale of", "on a scale", "from 0 to", "out of 0", "points", "preference", "which response",
        "which answer", "better answer", "quality", "correctness", "helpfulness", "标准", "准则", "分数", "criterios", "critères",
        "kriterien", "critérios", "критерии", "критериям", "基準", "기준",
    ),
    "rewrite": ("rewrite", "rephrase", "paraphrase", "reword", "sanitize", "sanitise", "改写", "重写", "reescribe", "réécris", "umformulieren"),
    "version": ("version", "safe", "safely", "acceptable", "neutral", "harmless", "complex", "prompt", "query", "question", "版本", "问题"),
    "wrapped": (
        "marked", "tagged", "tag", "tags", "block", "section", "header", "fenced", "delimited", "enclosed", "wrapped", "between the", "inside the",
        "before every reply", "before each reply", "every reply", "each reply", "every answer", "each answer", "every response", "each response",
        "format of", "layout of", "all replies", "all answers", "all turns", "begin with", "begins with", "start with", "starts with", "opens with", "open with", "first line", "标签", "标记", "开头", "以下格式",
        "etiqueta", "etiquetas", "bloque", "cada respuesta", "balise", "balises", "chaque réponse", "jede antwort", "abschnitt", "тег", "теги",
    ),
    "working notes": (
        "thoughts", "each thought", "every thought", "private notes", "working notes", "deliberation", "inner monologue", "scratchpad", "chain of thought", "thought process",
        "everything you weigh", "as they come", "unedited", "unfiltered", "stream of consciousness",
        "想法", "内心独白", "pensamientos", "razonamiento", "pensées", "raisonnement", "gedanken", "überlegungen", "мысли", "рассуждения",
    ),
    "make": ("generate", "create", "come up with", "produce", "invent", "write a new", "生成", "创建", "genera", "génère", "erstelle"),
    "tasks": (
        "instructions", "tasks", "questions", "exercises", "problems", "examples", "training data", "dataset", "question answer",
        "指令", "任务", "题目", "训练数据", "ejercicios", "exercices", "aufgaben",
    ),
}  # fmt: skip
"Cue group -> cues. A token is a word or an ideograph; a run of digits counts as the token 0."

TAGS: tuple[str, ...] = ("think", "thinking", "thought", "reasoning", "reason", "scratchpad", "analysis", "cot")
"Words that, right after '<', are inline reasoning tags."

FAMILY_OF: tuple[tuple[str, str], ...] = (
    ("reasoning", "write out"), ("reasoning", "hidden"), ("judge", "rubric"), ("rewrite", "version"), ("make", "tasks"), ("wrapped", "working notes"),
)  # fmt: skip
"The two cue groups that each family (by bit) needs; the last is also told by a tag with a known name."

STEPS: tuple[str, ...] = (
    "first", "second", "third", "next", "then", "therefore", "thus", "hence", "because", "since", "so", "step 0", "finally", "we need",
    "let us", "let me", "which means", "it follows", "consider", "assume", "suppose", "wait", "首先", "其次", "然后", "因此", "所以", "因为",
    "最后", "第一", "第二", "primero", "luego", "entonces", "por lo tanto", "porque", "d abord", "ensuite", "donc", "car", "zuerst", "dann",
    "daher", "weil", "deshalb", "primeiro", "depois", "portanto", "сначала", "затем", "поэтому", "потому", "следовательно", "まず",
    "次に", "したがって", "なぜなら", "먼저", "따라서",
)  # fmt: skip
"Connectives of reasoning that is written out; counted in answers."

VERDICTS: tuple[str, ...] = (
    "score", "rating", "grade", "0 0", "out of 0", "verdict", "strengths", "weaknesses", "评分", "得分", "分数", "puntuación", "note",
    "bewertung", "оценка", "評価",
)  # fmt: skip
"Words of a grade that is given; counted in answers."

CAPABILITIES: tuple[str, ...] = (
    "other", "coding", "mathematics", "agents and tools", "reasoning", "grading", "data analysis", "translation", "medicine", "law",
    "writing", "making training tasks",
)  # fmt: skip
"Capabilities by code."

TOPICS: dict[str, tuple[str, ...]] = {
    "coding": (
        "code", "function", "python", "javascript", "typescript", "java", "rust", "c", "class", "def", "return", "import", "bug", "compile",
        "repository", "commit", "diff", "unit test", "tests", "refactor", "api", "sql", "html", "css", "const", "int", "void", "git",
        "pull request", "algorithm", "stack trace", "exception", "代码", "函数", "编程", "código", "función", "fonction", "funktion", "код",
    ),
    "mathematics": (
        "solve", "equation", "integer", "triangle", "probability", "polynomial", "prove", "theorem", "frac", "sqrt", "how many", "sum of",
        "angle", "divisible", "real numbers", "geometry", "algebra", "calculate", "how much", "perimeter", "ratio", "方程", "证明",
        "多少", "计算", "ecuación", "équation", "gleichung", "уравнение", "calcula", "cuántos",
    ),
    "agents and tools": (
        "tool", "tools", "tool call", "function call", "action", "observation", "thought", "plan", "agent", "browser", "shell", "terminal",
        "api call", "execute", "environment", "invoke", "file system", "工具", "调用", "herramienta", "outil", "werkzeug",
    ),
    "data analysis": (
        "data", "dataset", "table", "chart", "csv", "column", "rows", "statistics", "regression", "trend", "revenue", "quarter", "metrics",
        "spreadsheet", "数据", "表格", "datos", "données", "daten",
    ),
    "translation": ("translate", "translation", "into english", "into german", "翻译", "译成", "traduce", "traduis", "übersetze", "переведи"),
    "medicine": (
        "patient", "symptom", "symptoms", "diagnosis", "treatment", "disease", "dose", "clinical", "患者", "症状", "治疗", "诊断", "疾病",
        "paciente", "enfermedad", "maladie", "krankheit", "пациент",
    ),
    "law": ("law", "court", "contract", "plaintiff", "liability", "statute", "legal", "法律", "合同", "法院", "起诉", "ley", "contrato", "loi", "gesetz"),
    "writing": (
        "essay", "story", "poem", "email", "letter", "blog", "article", "summarize", "summary", "headline", "paragraph", "作文", "故事",
        "总结", "文章", "resumen", "résumé", "zusammenfassung", "рассказ", "письмо",
    ),
}  # fmt: skip
"Capability -> words that speak for it; the capability with the most hits names the call."
