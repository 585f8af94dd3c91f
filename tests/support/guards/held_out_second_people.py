"""Second held-out corpus: addresses, telephones, births, papers and machines of people, as templates."""

from __future__ import annotations

_MAIL = (
    ("email", "Please write to «{lower:5}.{lower:8}@proton.me» instead."),
    ("email", '{"user": {"id": 91, "email": "«{lower:7}{digit:2}@yahoo.co.jp»", "plan": "pro"}}'),
    ("email", "2026-04-02 INFO signup ok address=«{lower:6}_{lower:6}@icloud.com» ip=internal"),
    ("email", "Cc: Giulia Ferri <«{lower:6}.{lower:6}@{lower:7}.it»>\nSubject: Preventivo\n"),
    ("email", "Bei Fragen: «{lower:4}.{lower:9}@{lower:8}-{lower:5}.de»"),
    ("email", "id;mail;city\n7;«{lower:9}@{lower:6}.co.nz»;Napier\n"),
    ("email", "Обратная связь: «{lower:8}@yandex.ru»"),
    ("email", "contact=«{lower:7}%2Bnews%40{lower:8}.com»&lang=en"),
)

_PHONES = (
    ("phone-us", "My cell is «(312) 6{digit:2}-{digit:4}», call after six."),
    ("phone-us", '{"contact": {"phone": "«+1 (646) 7{digit:2}-{digit:4}»"}}'),
    ("phone-us", "Phone: «503-8{digit:2}-{digit:4}»"),
    ("phone-ca", "Tel. «+1 514 9{digit:2} {digit:4}», ext. 12"),
    ("phone-gb", "Ring me on «07745 {digit:6}» or at work."),
    ("phone-gb", "Tel: «020 7{digit:3} {digit:4}»"),
    ("phone-gb", "WhatsApp «+44 7{digit:3} {digit:6}»"),
    ("phone-de", "Mobil: «0176 {digit:8}»"),
    ("phone-de", "Sie erreichen mich unter «+49 (0)40 {digit:4} {digit:3}»."),
    ("phone-de", "Telefon «089/4{digit:6}»"),
    ("phone-fr", "Appelez-moi au «06 7{digit:1} {digit:2} {digit:2} {digit:2}»"),
    ("phone-fr", "Téléphone : «+33 (0)1 4{digit:1} {digit:2} {digit:2} {digit:2}»"),
    ("phone-es", "Mi móvil es el «6{digit:2} {digit:3} {digit:3}»"),
    ("phone-es", "Teléfono: «+34 91{digit:1} {digit:3} {digit:3}»"),
    ("phone-it", "Cellulare: «333 {digit:7}»"),
    ("phone-it", "tel. «+39 06 {digit:8}»"),
    ("phone-nl", "Bel mij op «+31 (0)6 1{digit:7}»"),
    ("phone-pl", "tel. kom. «5{digit:2} {digit:3} {digit:3}»"),
    ("phone-pl", "Telefon: «+48 22 {digit:3} {digit:2} {digit:2}»"),
    ("phone-se", "Mobil: «073-{digit:3} {digit:2} {digit:2}»"),
    ("phone-ch", "Natel «078 {digit:3} {digit:2} {digit:2}»"),
    ("phone-br", "Celular: «(11) 9{digit:4}-{digit:4}»"),
    ("phone-br", "Meu whats é «+55 31 98{digit:3}-{digit:4}»"),
    ("phone-mx", "Tel. «+52 1 33 {digit:4} {digit:4}»"),
    ("phone-in", "Mobile no. «98{digit:8}»"),
    ("phone-in", '{"mobile": "«+9197{digit:8}»"}'),
    ("phone-jp", "携帯番号は«080-{digit:4}-{digit:4}»です"),
    ("phone-cn", "联系电话:«186 {digit:4} {digit:4}»"),
    ("phone-kr", "휴대폰: «010-{digit:4}-{digit:4}»"),
    ("phone-au", "Mobile: «0438 {digit:3} {digit:3}»"),
    ("phone-ru", "Телефон: «+7 (916) {digit:3}-{digit:2}-{digit:2}»"),
    ("phone-ua", "моб. «+380 67 {digit:3} {digit:2} {digit:2}»"),
    ("phone-tr", "Cep: «0533 {digit:3} {digit:2} {digit:2}»"),
    ("phone-sa", "جوال: «+966 5{digit:1} {digit:3} {digit:4}»"),
    ("phone-e164", "sms sent to=«+3519{digit:8}» status=delivered"),
)

_BIRTHS = (
    ("birth", "Date of birth: «0{digit:1}/11/1979»"),
    ("birth", "Patient DOB «1984-06-1{digit:1}», seen on Monday"),
    ("birth", '{"patient": "B. Osei", "dateOfBirth": "«197{digit:1}-09-2{digit:1}»"}'),
    ("birth", "Geburtsdatum: «1{digit:1}.03.1968»"),
    ("birth", "Date de naissance : «2{digit:1}/05/1990»"),
    ("birth", "Data di nascita: «1{digit:1}/12/1955»"),
    ("birth", "nacido el «1{digit:1} de enero de 1972» en Lugo"),
    ("birth", "Data urodzenia: «1{digit:1}.07.1986»"),
    ("birth", "Data de nascimento: «1{digit:1}/02/1995»"),
    ("birth", "Дата рождения: «1{digit:1}.08.1977»"),
    ("birth", "出生日期:«199{digit:1}年8月1{digit:1}日»"),
    ("birth", "생년월일: «198{digit:1}년 3월 1{digit:1}일»"),
    ("birth", "Geboortedatum: «1{digit:1}-04-1981»"),
)

_PAPERS = (
    ("passport-us", "My passport number is «A{digit:8}», issued in Boston."),
    ("passport-us", '{"traveller": "K. Boyd", "passport_number": "«6{digit:8}»"}'),
    ("passport-gb", "UK passport no: «5{digit:8}»"),
    ("passport-de", "Reisepassnummer: «C{digit:2}X{digit:2}K{digit:2}»"),
    ("passport-fr", "N° de passeport : «{digit:2}FV{digit:5}»"),
    ("passport-es", "Número de pasaporte: «XDB{digit:6}»"),
    ("passport-it", "Passaporto n. «YA{digit:7}»"),
    ("passport-in", "Indian passport «R{digit:7}», valid until 2033"),
    ("passport-cn", "护照号码:«E{digit:8}»"),
    ("passport-ru", "Загранпаспорт № «7{digit:1} {digit:7}»"),
    ("passport-jp", "旅券番号:«TZ{digit:7}»"),
    ("licence-us", "California driver's license «D{digit:7}»"),
    ("licence-us", "Driver license number: «S{digit:3}-{digit:4}-{digit:4}» (FL)"),
    ("licence-de", "Führerscheinnummer: «B072{upper:6}{digit:1}»"),
    ("licence-fr", "Permis de conduire n° «{digit:2}AB{digit:5}»"),
    ("licence-ca", "Ontario driver's licence «B{digit:4}-{digit:5}-{digit:5}»"),
    ("health-de", "Versichertennummer (eGK): «T{digit:9}»"),
    ("health-us", "Member ID: «XEH{digit:9}», group 70411 (Blue Cross)"),
    ("health-us", "Medical record number (MRN): «{digit:8}»"),
    ("health-eu", "Kennnummer der Karte (EHIC): «80756{digit:15}»"),
    ("account-us", "Account number: «{digit:10}», routing on file"),
    ("account-gb", "Sort code «40-{digit:2}-{digit:2}», account number {digit:8}"),
    ("account-gb", "Sort code 20-{digit:2}-{digit:2}, account number «{digit:8}»"),
    ("tax-gb", "Your UTR (Unique Taxpayer Reference) is «{digit:10}»."),
    ("tax-de", "Steuernummer: «21/815/{digit:5}»"),
)

_HOMES = (
    ("address-us", "Ship to: «4{digit:2} Maple Street, Apt 5B, Portland, OR 972{digit:2}»"),
    ("address-us", "She lives at «18{digit:2} Lakeview Drive, Austin, TX 787{digit:2}»."),
    ("address-gb", "Address: «{digit:2} Canal Road, Leeds LS1 4DT»"),
    ("address-de", "Anschrift: «Gartenweg 1{digit:1}, 2076{digit:1} Hamburg»"),
    ("address-fr", "Adresse : «1{digit:1} rue des Lilas, 6900{digit:1} Lyon»"),
    ("address-es", "Dirección: «Calle Mayor 2{digit:1}, 3º B, 2801{digit:1} Madrid»"),
    ("address-it", "Indirizzo: «Via Garibaldi 4{digit:1}, 2012{digit:1} Milano»"),
    ("address-nl", "Adres: «Kerkstraat 7{digit:1}, 1017 GC Amsterdam»"),
    ("address-br", "Endereço: «Rua das Flores, 1{digit:2}, São Paulo - SP, 0131{digit:1}-000»"),
    ("address-jp", "住所:«〒150-00{digit:2} 東京都渋谷区神南1-{digit:1}-3»"),
    ("address-cn", "地址:«上海市徐汇区漕溪北路{digit:3}号»"),
)

_MACHINES = (
    ("ipv4", "Login from «87.{digit:2}.1{digit:2}.4{digit:1}» using Firefox"),
    ("ipv4", '{"event": "login", "user": 44, "remote_addr": "«151.3{digit:1}.2{digit:1}.9{digit:1}»"}'),
    (
        "ipv4",
        "web sshd[912]: Failed password for root from «45.13{digit:1}.7{digit:1}.6» port 4411",
    ),
    ("ipv4", "X-Forwarded-For: «203.9{digit:1}.17{digit:1}.8»"),
    ("ipv6", "client «2a01:cb08:{hex:4}:{hex:4}:{hex:4}:{hex:4}:{hex:4}:{hex:4}» accepted the terms"),
    ("ipv6", '{"ip": "«2600:1700:{hex:4}:{hex:4}::{hex:4}»", "ok": true}'),
)

PEOPLE: tuple[tuple[str, str], ...] = (*_MAIL, *_PHONES, *_BIRTHS, *_PAPERS, *_HOMES, *_MACHINES)
"""(Kind, template)."""
