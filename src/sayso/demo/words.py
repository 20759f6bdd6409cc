"""The words that synthetic records are written with, by language."""

from __future__ import annotations

from typing import NamedTuple


class Grammar(NamedTuple):
    """A sentence of a language is one phrase of each slot, in order; `space` joins them and `stop` ends it."""

    slots: tuple[tuple[str, ...], ...]
    space: str = " "
    stop: str = "."


def _of(*slots: str, space: str = " ", stop: str = ".") -> Grammar:
    return Grammar(tuple(tuple(phrase.strip() for phrase in slot.split("|")) for slot in slots), space, stop)


GRAMMARS: dict[str, Grammar] = {
    "en": _of(
        "Our team|My former manager|The new cohort|A colleague in finance|Everyone on the project|The hiring panel|A client of ours|The night shift|My mentor|The whole department|A small start-up|The committee",
        "has published|is looking for|finally finished|wrote a review of|presented|keeps improving|has questions about|learned a lot from|is proud of|decided to rebuild|opened a discussion on|measured",
        "the annual report|a safer supply chain|the apprenticeship scheme|a guide to remote work|our first prototype|the new pricing model|a course on statistics|the migration to open standards|an honest retrospective|the energy audit|the customer survey|a plan for next spring",
        "after three long years|in record time|with very little budget|at the conference in Dublin|before the holidays|thanks to many volunteers|while nobody was watching|despite the weather|for the second time|in close partnership|from home|this week",
    ),
    "fr": _of(
        "Notre équipe|Mon ancienne directrice|La nouvelle promotion|Un collègue de la comptabilité|Le comité de pilotage|Une cliente fidèle|L'atelier de nuit|Toute l'agence|Une jeune entreprise|Le jury|Mon mentor|La rédaction",
        "a publié|cherche|a enfin terminé|a relu|présente|améliore sans cesse|s'interroge sur|a beaucoup appris de|est fière de|veut refaire|ouvre le débat sur|a mesuré",
        "le rapport annuel|une chaîne plus sûre|le programme d'apprentissage|un guide du télétravail|notre premier prototype|la nouvelle grille de prix|un cours de statistique|le passage aux formats ouverts|un bilan honnête|l'audit énergétique|l'enquête auprès des clients|un plan pour le printemps",
        "après trois longues années|en un temps record|avec peu de moyens|au salon de Lyon|avant les vacances|grâce aux bénévoles|sans faire de bruit|malgré la météo|pour la deuxième fois|en partenariat étroit|depuis la maison|cette semaine",
    ),
    "de": _of(
        "Unser Team|Meine frühere Chefin|Der neue Jahrgang|Ein Kollege aus der Buchhaltung|Die ganze Abteilung|Der Ausschuss|Eine treue Kundin|Die Nachtschicht|Ein junges Unternehmen|Die Jury|Mein Mentor|Die Redaktion",
        "veröffentlicht|sucht|vollendet|bespricht|zeigt|verbessert|prüft|lernt viel durch|feiert|erneuert|diskutiert|vermisst",
        "den Jahresbericht|eine sichere Lieferkette|das Ausbildungsprogramm|einen Leitfaden für Heimarbeit|unseren ersten Prototyp|das neue Preismodell|einen Kurs in Statistik|den Umstieg auf offene Formate|eine ehrliche Rückschau|die Energieprüfung|die Kundenumfrage|einen Plan für das Frühjahr",
        "nach drei langen Jahren|in Rekordzeit|mit wenig Geld|auf der Messe in Köln|vor den Ferien|dank vieler Freiwilliger|ganz im Stillen|trotz des Wetters|zum zweiten Mal|in enger Partnerschaft|von zu Hause aus|in dieser Woche",
    ),
    "es": _of(
        "Nuestro equipo|Mi antigua jefa|La nueva promoción|Un compañero de finanzas|Todo el departamento|El comité|Una clienta fiel|El turno de noche|Una empresa joven|El jurado|Mi mentora|La redacción",
        "ha publicado|busca|por fin terminó|reseñó|presenta|mejora cada día|tiene dudas sobre|aprendió mucho de|celebra|quiere rehacer|abre el debate sobre|ha medido",
        "el informe anual|una cadena más segura|el programa de prácticas|una guía de teletrabajo|nuestro primer prototipo|la nueva tabla de precios|un curso de estadística|el paso a formatos abiertos|un balance honesto|la auditoría energética|la encuesta a clientes|un plan para la primavera",
        "tras tres largos años|en un tiempo récord|con muy pocos medios|en la feria de Bogotá|antes de las vacaciones|gracias a los voluntarios|sin hacer ruido|a pesar del tiempo|por segunda vez|en estrecha alianza|desde casa|esta semana",
    ),
    "pt": _of(
        "Nossa equipe|Minha antiga chefe|A nova turma|Um colega do financeiro|Todo o departamento|O comitê|Uma cliente fiel|O turno da noite|Uma empresa jovem|O júri|Meu mentor|A redação",
        "publicou|procura|finalmente terminou|avaliou|apresenta|melhora sempre|tem dúvidas sobre|aprendeu muito com|celebra|quer refazer|abriu o debate sobre|mediu",
        "o relatório anual|uma cadeia mais segura|o programa de estágio|um guia de trabalho remoto|nosso primeiro protótipo|a nova tabela de preços|um curso de estatística|a migração para formatos abertos|um balanço honesto|a auditoria de energia|a pesquisa com clientes|um plano para o outono",
        "depois de três longos anos|em tempo recorde|com pouco dinheiro|na feira de São Paulo|antes das férias|graças aos voluntários|sem fazer barulho|apesar da chuva|pela segunda vez|em estreita parceria|de casa|nesta semana",
    ),
    "it": _of(
        "La nostra squadra|La mia ex direttrice|Il nuovo corso|Un collega della contabilità|Tutto il reparto|Il comitato|Una cliente affezionata|Il turno di notte|Una giovane impresa|La giuria|Il mio mentore|La redazione",
        "ha pubblicato|cerca|ha finalmente concluso|ha recensito|presenta|migliora di continuo|ha dubbi su|ha imparato molto con|festeggia|vuole rifare|apre il dibattito su|ha misurato",
        "la relazione annuale|una filiera più sicura|il programma di tirocinio|una guida al lavoro agile|il nostro primo prototipo|il nuovo listino|un corso di statistica|il passaggio a formati aperti|un bilancio onesto|la verifica energetica|il sondaggio tra i clienti|un piano per la primavera",
        "dopo tre lunghi anni|in tempi record|con pochi mezzi|alla fiera di Bologna|prima delle vacanze|grazie ai volontari|senza fare rumore|nonostante il tempo|per la seconda volta|in stretta collaborazione|da casa|questa settimana",
    ),
    "nl": _of(
        "Ons team|Mijn vroegere manager|De nieuwe lichting|Een collega van financiën|De hele afdeling|De commissie|Een trouwe klant|De nachtploeg|Een jong bedrijf|De jury|Mijn mentor|De redactie",
        "publiceerde|zoekt|voltooide eindelijk|besprak|toont|verbetert steeds|heeft vragen over|leerde veel van|viert|wil graag opnieuw beginnen met|opent het gesprek over|mat",
        "het jaarverslag|een veiligere keten|het leerlingprogramma|een gids voor thuiswerk|ons eerste prototype|het nieuwe prijsmodel|een cursus statistiek|de overstap naar open standaarden|een eerlijke terugblik|de energiecontrole|het klantenonderzoek|een plan voor het voorjaar",
        "na drie lange jaren|in recordtijd|met heel weinig geld|op de beurs in Utrecht|vóór de vakantie|dankzij vrijwilligers|in alle stilte|ondanks het weer|voor de tweede keer|in nauwe samenwerking|vanuit huis|deze week",
    ),
    "pl": _of(
        "Nasz zespół|Moja dawna szefowa|Nowy rocznik|Kolega z księgowości|Cały dział|Komitet|Stała klientka|Nocna zmiana|Młoda firma|Jury|Mój mentor|Redakcja",
        "publikuje|szybko kończy|ocenia|przedstawia|ciągle poprawia|bada|świętuje|chce odnowić|omawia|mierzy|wspiera|otwiera",
        "raport roczny|bezpieczny łańcuch dostaw|program praktyk|poradnik pracy zdalnej|nasz pierwszy prototyp|nowy cennik|kurs statystyki|standard otwartych danych|szczery bilans|audyt energetyczny|sondaż wśród klientów|plan na wiosnę",
        "po trzech długich latach|w rekordowym czasie|za niewielkie pieniądze|na targach w Poznaniu|przed wakacjami|dzięki ochotnikom|po cichu|mimo pogody|po raz drugi|w bliskiej współpracy|z domu|w tym tygodniu",
    ),
    "zh": _of(
        "我們的團隊|我以前的經理|新一屆學員|財務部的同事|整個部門|委員會|一位老客戶|夜班同事|一家年輕公司|評審團|我的導師|編輯部",
        "三年之後|在極短時間內|以很少的預算|在香港的會議上|在假期之前|多得一眾義工|默默地|儘管天氣惡劣|再一次|與夥伴一起|在家中|本星期",
        "發表了|正在尋找|終於完成了|評論了|介紹了|不斷改進|查問了|學習了|慶祝了|決定重做|公開討論|量度了",
        "年度報告|更安全的供應鏈|學徒計劃|遙距工作指南|第一個原型|新的價格方案|統計學課程|開放標準的過渡|坦誠的回顧|能源審計|客戶問卷|明年春天的計劃",
        space="", stop="。",
    ),
    "hi": _of(
        "हमारी टीम ने|मेरी पुरानी प्रबंधक ने|नए समूह ने|वित्त के एक साथी ने|पूरे विभाग ने|समिति ने|एक पुराने ग्राहक ने|रात की पाली ने|एक नई कंपनी ने|मेरे गुरु ने",
        "तीन साल बाद|बहुत कम समय में|कम बजट में|मुंबई के सम्मेलन में|छुट्टियों से पहले|चुपचाप|दूसरी बार|घर से|इस सप्ताह",
        "वार्षिक रिपोर्ट को|प्रशिक्षण योजना को|पहले नमूने को|नई मूल्य सूची को|सांख्यिकी के पाठ को|ऊर्जा की जाँच को|ग्राहक सर्वेक्षण को|वसंत की योजना को",
        "पूरा किया|समझाया|सुधारा|फिर से देखा|सराहा|मापा|चुना", stop="।",
    ),
}  # fmt: skip
"""Every language that records are written in, by its ISO 639-1 code."""

SHORT: dict[str, Grammar] = {
    "usage": _of(
        "opened|closed|scrolled|searched|shared from|followed a link on",
        "the feed|the inbox|a profile page|the job board|a group|the settings|a course|the notifications",
        "on a phone|on a tablet|in a browser|through the app",
        "for a moment|for a minute|for ten minutes|twice in a row|late at night|before noon", stop="",
    ),
    "ai-feedback": _of(
        "thumbs up|thumbs down|reported|dismissed|rewritten|copied",
        "a suggested post|a summary|a reply|a profile text|a search answer|a job match",
        "because it was wrong|because it was right|because it was too long|because of its tone|without a word", stop="",
    ),
}  # fmt: skip
"""Categories whose records are no prose: what the platform notes of a click, in one language."""
