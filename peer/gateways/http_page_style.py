"""How the page looks: one column on a phone, two on a desk, light and dark.

Good, doubtful and bad are blue, amber and vermilion (after Okabe and Ito), which most colour-blind people tell
apart, and each has a shape and a word beside its colour. Text has a contrast of at least 4.5 to 1.
"""

STYLE = """
:root{color-scheme:light dark;--ink:#17202c;--soft:#5a6676;--line:#d8dee8;--card:#fff;--page:#f3f5f9;
--good:#0062a3;--doubt:#8a5a00;--bad:#b3400a;--mark:#e3f0fa;--alarm:#fdeee4}
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf2;--soft:#a0acbc;--line:#333d4c;--card:#1a202a;--page:#10141b;
--good:#6cb8f0;--doubt:#e8b54a;--bad:#ff9a66;--mark:#14304a;--alarm:#3b2216}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:var(--page)}
main{max-width:72rem;margin:0 auto;padding:1rem clamp(.8rem,2.5vw,2rem) 2rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 .8rem;margin-bottom:.6rem}
h1{font-size:1.15rem;margin:0}h2{font-size:1rem;margin:0 0 .1rem}
.soft{color:var(--soft)}.small{font-size:.88rem}.good{color:var(--good)}.doubt{color:var(--doubt)}.bad{color:var(--bad)}
p{margin:.2rem 0}a{color:var(--good)}
section{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:.9rem 1.1rem;min-width:0}
.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));margin-top:1rem}
.wide{grid-column:1/-1}
#now{border-left:.5rem solid var(--good)}#now.nobody{border-left-color:var(--bad);background:var(--alarm)}
#serving{font-size:clamp(1.5rem,5vw,2.1rem);font-weight:700;line-height:1.2;margin:0;overflow-wrap:anywhere}
#steps{display:flex;flex-wrap:wrap;gap:.4rem;margin-top:.6rem}
#steps li{border:1px solid currentColor;border-radius:1rem;padding:.05rem .7rem;color:var(--soft);display:block}
#steps li.done{color:var(--ink)}
#steps li.here{color:var(--card);background:var(--bad);border-color:var(--bad);font-weight:600}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,9rem),1fr));gap:.6rem 1.2rem;margin:.9rem 0 0}
dt{color:var(--soft);font-size:.82rem}dd{margin:0;overflow-wrap:anywhere}
ol,ul{list-style:none;margin:0;padding:0}
.rows{margin-top:.5rem}
.rows li{display:grid;grid-template-columns:1.9rem minmax(0,1fr) auto;gap:0 .5rem;align-items:baseline;
padding:.5rem .55rem;border-top:1px solid var(--line)}
.rows li:first-child{border-top:0}.rows .name{font-weight:600;overflow-wrap:anywhere}
.rows .more{grid-column:2/-1;color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
.rows .none{display:block;color:var(--soft)}
#apps{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr))}#apps li{border:0}
.place{font-variant-numeric:tabular-nums;text-align:center}
.rows li.heir{background:var(--mark);border-radius:.5rem;outline:2px solid var(--good)}
.rows li.heir+li{border-top:0}
.tag{font-size:.82rem;white-space:nowrap;font-weight:600}
.badge{background:var(--good);color:var(--card);border-radius:1rem;padding:.05rem .6rem}
#events{max-height:24rem;overflow:auto;margin-top:.4rem}
#events li{display:grid;grid-template-columns:4.8rem minmax(0,1fr);gap:.6rem;padding:.18rem .2rem;font-size:.9rem;
overflow-wrap:anywhere}
#events time{color:var(--soft);font-variant-numeric:tabular-nums}
#events .main{font-weight:600}
#link:not(:empty),#said:not(:empty){border:2px solid var(--bad);border-radius:.7rem;padding:.5rem .9rem;margin:.6rem 0}
.stale>.grid,.stale>#now{opacity:.6}
button{font:inherit;color:var(--good);background:transparent;border:1px solid currentColor;border-radius:.5rem;
padding:.3rem .8rem;margin-top:.7rem;cursor:pointer;min-height:2.4rem}
button:disabled{opacity:.5;cursor:default}
:focus-visible{outline:3px solid var(--good);outline-offset:2px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
"""
