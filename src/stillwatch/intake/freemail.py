"""Mail domains that anybody can have an address at: accounts on them are not one organisation.

Free and disposable providers, as widely known; not complete. A domain that is missing here joins strangers into one
"organisation", which makes fewer strangers and thus errs to the innocent side.
"""

_LISTED = """
gmail.com googlemail.com outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.jp hotmail.com
hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it live.com live.co.uk live.de live.fr live.nl msn.com
passport.com windowslive.com yahoo.com yahoo.co.uk yahoo.co.jp yahoo.co.in yahoo.de yahoo.fr yahoo.es yahoo.it
yahoo.ca yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.tw yahoo.com.hk ymail.com rocketmail.com
aol.com aim.com verizon.net att.net icloud.com me.com mac.com proton.me protonmail.com protonmail.ch pm.me
tutanota.com tutanota.de tuta.io tuta.com keemail.me fastmail.com fastmail.fm hey.com zoho.com zohomail.com
zohomail.eu mail.com email.com usa.com post.com inbox.com gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de
freenet.de posteo.de posteo.net mailbox.org arcor.de 1und1.de orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr
libero.it virgilio.it alice.it tiscali.it tim.it telefonica.net terra.com.br uol.com.br bol.com.br ig.com.br globo.com
sapo.pt mail.ru bk.ru list.ru inbox.ru internet.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net i.ua meta.ua wp.pl
o2.pl onet.pl interia.pl op.pl seznam.cz email.cz centrum.cz azet.sk abv.bg freemail.hu citromail.hu qq.com
foxmail.com vip.qq.com 163.com 126.com yeah.net 139.com 189.cn sina.com sina.cn sohu.com tom.com aliyun.com 21cn.com
naver.com hanmail.net daum.net nate.com kakao.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp nifty.com biglobe.ne.jp
rediffmail.com indiatimes.com comcast.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net juno.com
rogers.com shaw.ca sympatico.ca telus.net btinternet.com sky.com virginmedia.com ntlworld.com talktalk.net
blueyonder.co.uk bigpond.com optusnet.com.au xtra.co.nz bluewin.ch hispeed.ch telenet.be skynet.be ziggo.nl kpnmail.nl
planet.nl lycos.com excite.com hushmail.com runbox.com disroot.org riseup.net cock.li duck.com simplelogin.com
anonaddy.com mozmail.com privaterelay.appleid.com users.noreply.github.com mailinator.com guerrillamail.com
guerrillamail.net guerrillamail.org guerrillamailblock.com sharklasers.com grr.la 10minutemail.com 10minutemail.net
20minutemail.com temp-mail.org temp-mail.io tempmail.com tempmail.net tempmail.dev tempmailo.com tempr.email
throwawaymail.com trashmail.com trashmail.de trash-mail.com yopmail.com yopmail.fr yopmail.net getnada.com nada.email
maildrop.cc mailnesia.com mintemail.com dispostable.com discard.email fakeinbox.com fakemail.net emailondeck.com
mohmal.com moakt.com mytemp.email spamgourmet.com spam4.me mailcatch.com mail-temp.com minuteinbox.com burnermail.io
33mail.com dropmail.me emltmp.com 1secmail.com 1secmail.net 1secmail.org inboxkitten.com mailsac.com tmail.io
tmpmail.org tmpmail.net linshiyouxiang.net chacuo.net bccto.me byom.de einrot.com cuvox.de dayrep.com fleckens.hu
gustr.com jourrapide.com rhyta.com superrito.com teleworm.us armyspy.com
"""

FREE: frozenset[str] = frozenset(_LISTED.split())
"Domains in lower case."


def free(domain: str) -> bool:
    """Whether anybody can have an address there; a name under such a domain counts as the domain.

    >>> free("gmail.com"), free("eu.mailinator.com"), free("example.org")
    (True, True, False)
    """
    parts = domain.split(".")
    return any(".".join(parts[at:]) in FREE for at in range(len(parts) - 1))
