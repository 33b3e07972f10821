"""Characters of traditional Chinese that a text in simplified Chinese does not have.

The table is ours: frequent characters that GB 2312, the national set of simplified Chinese, does not hold. So those
that both kinds of text use, such as 乾, 著 and 后, are not in it; nor are rare ones of names, such as 堃 and 喆.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from .drafts import Draft
from .findings import Finding, Level

_CHARACTERS = """
來個傳傷傾僅價儀億償優儲兒內兩冊凍別則剛創劃劇劑勁動務勝勞勢勵勸匯區協卻參吳員問啟喚喬單嗎嘗噴噸嚮嚴囑國圍園圓圖團報場塊塗塵壇壓壞壽夠夢夾奪奮妝婦媽嬰孫學實寧審
寫寬寶將專尋對導尷屆層島嶺巖師帳帶幀幣幫幹幾庫廁廂廈廚廟廠廢廣廳弒弔張強彈彌彎彙徑從復愛態慣慮慶憂憑憲憶懇應懶懷戀戰戲戶拋捨捲掃掛採換揮損搖搶撥撫撳撿擁擇擊擋擔
據擬擴擺擾攔攜攝攤敗敘敵數斂斷昇時晉暈暉暫曆曉書會朧東條棄棧業極榮構槍樁樂樓標樞樣樹橋機橫檔檢檯櫃欄權歐歲歷歸殘殯殲殺殼毀氣氫決沒沖況淚淨淺減測湯準溝滅滬滯滲滾
滿漁漢漲潔潛潤澀澤濃濕濟濱濾瀏瀟瀾灑灣災為烏無煙熱燈燒營燦爍爐爭爺爾牆狀狹猶獅獎獨獲獵獻現瑋瑣瑤瑪環璽甌產畝畢畫異當疇疊痺瘋療癢癮發皚皺盜盞監盤盧眾睏睜瞞矯碩確
碼磚礎礙礦禍禦禪禮稅種稱穀積穩窩窮窯竄竅竊競筆筍箋節範築簍簡簽籃籌籠籤籲粵糞糧糰糾紀約紅紋納純紙級紛細紳終絃組絆結絕絡給統絲綁經綜綠維網緊緒線緝緣編緩緯練縛縣縫
縮縱縷總績織繞繡繪繫繳繼續纖罰罵罷羅羈義習翹聖聞聯聲聳職聽肅脅脈腦腫腳膚膠膩膽臉臍臨臺與舉舊舖艙艦艱艷莊萬葉蓋蔣蔥蕩蕭薦薩藍藝藥蘇蘊蘋蘭處虛虜號虧蝦蝸蟲蠟蠻衊術
衛衝裊補裝裡製複褲褸襪襲見規視親覺覽觀觸訂計訊討訓記訝訪設許訴診註詐詞詠詢試詩詭話該詳誅誇誌認誕誘語誠誤說誰課調談請諒論諜諧諮諸諾謀謂謎謙講謝謠謹證識譜譯議護譽
讀變讓讚豐豬貝負財貢貧貨販貪貫責貯貳貴買貸費貼賀資賊賓賞賠賢賣賦質賬賭賴購賽贈贊贏贖趕趙跡踐躍軀車軋軌軍軟軸較載輔輕輛輝輪輯輸輻輾轄轉轟辦辭農迴這連週進遊運過達
違遙遞遠適遲遷選遺遼還邊郵鄉鄒鄖鄧鄭鄰酈醞醫醬釀釋釐針釣鈍鈔鈕鈞鈴鉀鉛鉤銀銅銘銳銷鋁鋒鋤鋪鋸鋼錄錘錢錦錫錯錶鍋鍛鍵鍾鎊鎖鎮鏈鏟鏡鏽鐘鐵鑄鑑鑒鑰鑽長門閃閉開閏閑閒
間閘閣閩閱閻闆闊闖關闡陝陞陣陰陳陸陽隊階隕際隨險隱隸雖雙雜雞離難雲電靂靈靜鞏韓響頁頂頃項順須預頒頗領頭頰頸頹頻顆題額顏願顛類顧顫顯風颱飛飯飲飽飾餃餅養餓餘餡館餵
饋饑饒馬馭馳駁駐駕駛駝駱駿騎騙騰騷騾驅驗驚驟髒體鬆鬍鬚鬥鬧魚魯魷鮮鯉鯊鯨鰻鳥鳩鳳鳴鴉鴨鴻鴿鵝鵬鷹鷺鹽麗麥麵麼黃點黨黴黷鼴齊齒齡龍龐龜
"""
TRADITIONAL = frozenset(_CHARACTERS) - {"\n"}
_RUN = re.compile(f"[{''.join(sorted(TRADITIONAL))}]+")


def traditional(draft: Draft) -> Iterator[Finding]:
    """Yields a finding for the first run of traditional characters.

    Aliyun's rules of code and notice templates (document_detail/463237, /463270): 不支持繁体字.
    """
    if found := _RUN.search(draft.plain):
        message = _("Write simplified characters: reviewers refuse traditional ones such as %s.") % found.group()[:10]
        yield draft.at(found.span(), Level.WARNING, "traditional", message)
