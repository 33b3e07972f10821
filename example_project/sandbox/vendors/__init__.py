"""The vendors of the sandbox."""

from __future__ import annotations

from sandbox.vendors.aliyun import Aliyun
from sandbox.vendors.aliyun_pnvs import AliyunPnvs
from sandbox.vendors.apispace import APISpace
from sandbox.vendors.base import Vendor
from sandbox.vendors.ihuyi import Ihuyi
from sandbox.vendors.qixuntong import Qixuntong
from sandbox.vendors.tencent import Tencent
from sandbox.vendors.topthink import TopThink
from sandbox.vendors.twilio import Twilio
from sandbox.vendors.veesing import Veesing

VENDORS: tuple[type[Vendor], ...] = (TopThink, Veesing, APISpace, Ihuyi, Qixuntong, Aliyun, AliyunPnvs, Tencent, Twilio)
